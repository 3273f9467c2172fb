// The command line as a whole.
#pragma once

namespace pdl {

// Parses the arguments and runs the command they name. Returns 0; throws Error by blame.
int run_command_line(int argc, char** argv);

}  // namespace pdl
