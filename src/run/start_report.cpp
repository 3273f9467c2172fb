#include "pdl/run/start_report.h"

#include "pdl/base/error.h"
#include "pdl/base/text_format.h"
#include "pdl/batches/batch_plan.h"
#include "pdl/weights/weight_statistics.h"

namespace pdl {
namespace {

void require_seen_weight(const WeightStatistics& statistics, double max_unseen_share) {
  if (statistics.unseen_weight_share <= max_unseen_share) return;
  throw DataError("tokens that the frequency table never counted are " +
                  percent(statistics.unseen_share) + " of the training targets and hold " +
                  percent(statistics.unseen_weight_share) +
                  " of the loss weight, more than pdl_max_unseen_share; count a corpus that has "
                  "them, or raise pdl_epsilon");
}

}  // namespace

StartMetrics start_metrics(const Job& job) {
  const WeightStatistics statistics =
      weight_statistics({.table = job.loss.table.counts,
                         .training = job.data.train_counts,
                         .evaluation = job.data.eval_counts},
                        job.loss.weights.full_weights(), job.config.weights, job.tokenizer.get());
  require_seen_weight(statistics, job.config.pdl_max_unseen_share);
  const Sequences& sequences = *job.data.train;
  const ParameterSet& parameters = job.model->parameters();
  const int64_t trained = count_elements(parameters.trained);
  const DocumentCounts& documents = sequences.corpus().document_counts;
  return {
      .parameters = trained + count_elements(parameters.frozen) + count_elements(parameters.fixed),
      .trainable_parameters = trained,
      .num_tokens = sequences.num_targets(),
      .rows = sequences.size(),
      .documents = documents.documents,
      .empty_documents = documents.empty_documents,
      .steps = BatchPlan(sequences.size(), job.config.training).total_steps(),
      .compute = describe_compute(job.model->info().device),
      .weights = statistics};
}

}  // namespace pdl
