// The day that chat templates see.
#pragma once

#include "pdl/config/run_config.h"

namespace pdl {

// Returns the config with a chat_date. One that is not given is that of the run which began in
// output_dir, so that it goes on with the same tokens; else it is the day of the local clock.
RunConfig with_chat_date(RunConfig config);

}  // namespace pdl
