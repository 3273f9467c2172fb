// Requests to a run from outside, and the vote of its ranks on them.
#pragma once

#include "pdl/base/error.h"
#include "pdl/distributed/process_group.h"

namespace pdl {

// Called by the training thread alone, through add_vote().
class RunControl {
 public:
  virtual ~RunControl() = default;
  // Called when everything is loaded: from now on the run can stop in an orderly way.
  virtual void begin() {}
  // True if the run shall save and end; once true, always true.
  virtual bool stop_requested() = 0;
  // The signal that requested the stop; 0 if none did.
  virtual int stop_signal() const { return 0; }
  // Returns true once for each request to save and go on.
  virtual bool take_save_request() = 0;
};

// Returns the exit code of a process that a signal ends: 128 + its number.
constexpr ExitCode exit_code_of_signal(int signal) { return static_cast<ExitCode>(128 + signal); }

// What a run shall do at the next point where it can.
struct Vote {
  bool stop = false;
  bool save = false;
};

// Adds to `vote` what the control of any rank requests. The result is the same on every rank; all
// must call this at the same points of the run. A null control requests nothing.
void add_vote(RunControl* control, ProcessGroup& group, Vote& vote);

}  // namespace pdl
