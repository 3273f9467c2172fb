// What comes to a run from outside.
#pragma once

namespace pdl {

// Asked by the thread that trains, between steps and between the batches of an evaluation.
class RunControl {
 public:
  virtual ~RunControl() = default;
  // True if the run shall save and end; from then on always.
  virtual bool stop_requested() = 0;
  // True once for each request to save and go on.
  virtual bool take_save_request() = 0;
};

}  // namespace pdl
