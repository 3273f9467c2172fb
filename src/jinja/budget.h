// Limits of a rendering, and how it fails. Private to the module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "pdl/jinja/template.h"

namespace pdl::jinja {

// Ends a rendering: a phrase, to which the template's name and line are added.
struct RenderError {
  std::string message;
};

[[noreturn]] inline void fail(std::string message) { throw RenderError{std::move(message)}; }

// What a rendering may still do.
class Budget {
 public:
  Budget(const RenderLimits& limits, const Date& date) : limits_(limits), date_(date) {}

  // Counts steps, e.g. one for each item of a list that is built or compared.
  void take(size_t steps = 1) {
    steps_ += static_cast<int64_t>(steps);
    if (steps_ > limits_.max_steps) {
      fail("takes more than " + std::to_string(limits_.max_steps) + " steps");
    }
  }
  // Counts a string of this size that is made, or about to be.
  void take_bytes(size_t bytes) {
    require_size(bytes);
    take(bytes / 64 + 1);
  }
  void require_size(size_t bytes) const {
    if (bytes <= limits_.max_bytes) return;
    fail("makes a text of more than " + std::to_string(limits_.max_bytes) + " bytes");
  }
  const Date& date() const { return date_; }

 private:
  const RenderLimits& limits_;
  const Date& date_;
  int64_t steps_ = 0;
};

}  // namespace pdl::jinja
