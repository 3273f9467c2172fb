#include "pdl/model/probe.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <string>
#include <utility>

#include "pdl/base/error.h"

namespace pdl {
namespace {

// Rounding may depend on the other sequences where a program sorts tokens, e.g. by expert.
bool differ_by(double tolerance, const at::Tensor& one, const at::Tensor& other) {
  const at::Tensor a = one.to(at::kFloat);
  const at::Tensor b = other.to(at::kFloat);
  const at::Tensor unequal = a.ne(b).logical_and_(a.eq(a)).logical_and_(b.eq(b));  // NaN != NaN
  if (!unequal.any().item<bool>()) return false;
  const at::Tensor distance = at::where(unequal, a.sub(b).abs(), 0.0).max();
  const at::Tensor scale = a.nan_to_num(0, 0, 0).abs().max();
  return distance.item<double>() > tolerance * scale.item<double>();
}

template <class Call>
auto with_hint(const std::string& hint, const Call& call) {
  try {
    return call();
  } catch (const ModelError& problem) {
    throw ModelError(problem.what() + hint);
  }
}

class Probe {
 public:
  Probe(LanguageModel& model, const ProbeIds& ids) : model_(model), ids_(ids) {
    const auto size = std::ssize(ids.longest);
    length_ = size >= 4 ? std::min<int64_t>(size, 5) : 2;  // never that of kSequences
    // A second id, not the largest: rare ones often have untrained embeddings.
    const auto other = std::ranges::find_if(
        ids.longest, [&](int32_t id) { return id != ids.smallest && id != ids.largest; });
    other_ = other == ids.longest.end() ? ids.largest : *other;
  }

  void prepare_training() const { model_.prepare_training(plain_ids()); }

  void try_short() const {
    const at::Tensor plain = model_.forward(plain_ids());
    at::Tensor varied_ids = plain_ids();
    varied_ids[0].narrow(0, 1, length_ - 1).fill_(other_);
    varied_ids[2][length_ - 1] = ids_.largest;
    const at::Tensor varied =
        with_hint("; the largest id is " + std::to_string(ids_.largest) +
                      ": does the model have an embedding for it, and is the tokenizer its own?",
                  [&] { return model_.forward(varied_ids); });
    const bool is_causal =
        !differ(plain[0].narrow(0, 0, 1), varied[0].narrow(0, 0, 1)) &&
        !differ(plain[2].narrow(0, 0, length_ - 1), varied[2].narrow(0, 0, length_ - 1));
    const bool mixes = differ(plain[1], varied[1]);
    if (is_causal && !mixes) return;
    require_equal_again(plain_ids(), plain);
    if (mixes) {
      refuse("mixes sequences: the logits of one depend on the others beside it in the batch");
    }
    refuse_future();
  }

  // The logits of the first tokens of the longest sequence are those of these tokens alone, or, for
  // positions that depend on the length, do not depend on the rest of it.
  void try_long() const {
    const auto size = std::ssize(ids_.longest);
    const int64_t boundary = std::min<int64_t>(17, (size / 2) | 1);  // attention may be in blocks
    const at::Tensor ids =
        at::tensor(ids_.longest, at::kLong).to(model_.info().device).unsqueeze(0);
    const at::Tensor outputs = outputs_of(ids).narrow(1, 0, boundary).clone();
    if (!differ(outputs, outputs_of(ids.narrow(1, 0, boundary)))) return;
    at::Tensor changed_ids = ids.clone();
    at::Tensor tail = changed_ids.narrow(1, boundary, size - boundary);
    tail.copy_(at::where(tail.eq(ids_.smallest), other_, ids_.smallest));
    if (differ(outputs, outputs_of(changed_ids).narrow(1, 0, boundary))) refuse_future();
  }

 private:
  bool differ(const at::Tensor& one, const at::Tensor& other) const {
    return differ_by(model_.info().compute_dtype == at::kFloat ? 1e-4 : 3e-2, one, other);
  }

  static constexpr int64_t kSequences = 3;

  at::Tensor plain_ids() const {
    return at::full({kSequences, length_}, ids_.smallest,
                    at::dtype(at::kLong).device(model_.info().device));
  }

  // Without the logits of long sequences, where the model can do so: they take much memory.
  at::Tensor outputs_of(const at::Tensor& ids) const {
    return with_hint("; is max_length more than the model's positions?", [&] {
      return model_.info().splits_head ? model_.hidden(ids) : model_.forward(ids);
    });
  }

  void require_equal_again(const at::Tensor& ids, const at::Tensor& logits) const {
    if (!differ(logits, model_.forward(ids))) return;
    refuse(
        "gives other logits when it is called again in evaluation mode, so that no evaluation "
        "could be repeated; was it traced in training mode, with dropout?");
  }

  [[noreturn]] void refuse_future() const {
    refuse(
        "is not causal: the logits of a token depend on the tokens after it, among them the one "
        "that it shall predict");
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw ModelError("model '" + model_.info().path.string() + "' " + why);
  }

  LanguageModel& model_;
  const ProbeIds& ids_;
  int64_t length_ = 0;
  int32_t other_ = 0;
};

}  // namespace

void probe_model(LanguageModel& model, const ProbeIds& ids, bool for_training) {
  const Probe probe(model, ids);
  if (for_training) probe.prepare_training();
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> buffers_before = copy_changing_buffers(model);
  model.set_training(false);
  probe.try_short();
  probe.try_long();
  restore_changing_buffers(model, buffers_before);
}

}  // namespace pdl
