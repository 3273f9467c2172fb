// A second model that says how probable it finds texts.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "measured_texts.h"
#include "pdl/run/job.h"

namespace pdl {

class Judge {
 public:
  // Loads the model, which takes the job's tokenizer, device and precision, without its adapters.
  // Warns if it is the job's own model. Throws what load_fixed_model() throws.
  Judge(const Job& job, const std::filesystem::path& model_path);

  // Throws ConfigError if the model does not take texts of that many ids, their prompts included.
  void require_length(int64_t ids) const;

  // The mean of -ln p of all ids of the texts, each after its prompt and the ids before it, in
  // nats. None if there is no id, or if the prompts are not known. Throws ModelError for an id that
  // the model does not have, and ConfigError as require_length() does.
  std::optional<double> nll(const ContinuedPrompts& texts);

 private:
  std::unique_ptr<LanguageModel> model_;
  int64_t batch_size_;
};

}  // namespace pdl
