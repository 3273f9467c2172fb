// What comes to a run from outside, and what its ranks make of it.
#pragma once

#include "pdl/base/error.h"
#include "pdl/distributed/process_group.h"

namespace pdl {

// Asked by the thread that trains, through add_vote() alone.
class RunControl {
 public:
  virtual ~RunControl() = default;
  // Everything is loaded: from now on the run can stop in an orderly way.
  virtual void begin() {}
  // True if the run shall save and end; from then on always.
  virtual bool stop_requested() = 0;
  // The signal that asked for the stop; 0: none did, or it was for another reason.
  virtual int stop_signal() const { return 0; }
  // True once for each request to save and go on.
  virtual bool take_save_request() = 0;
};

// What a process that a signal ends exits with: 128 + its number.
constexpr ExitCode exit_code_of_signal(int signal) { return static_cast<ExitCode>(128 + signal); }

// What a run shall do at the next place where it can.
struct Vote {
  bool stop = false;
  bool save = false;
};

// Adds to `vote` what any rank's control asks for. The result is the same on every rank; all must
// call this at the same points of the run. Null: nothing is asked of this rank.
void add_vote(RunControl* control, ProcessGroup& group, Vote& vote);

}  // namespace pdl
