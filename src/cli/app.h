// The command line as a whole.
#pragma once

namespace pdl {

// Does all of main(): runs the command that the arguments name and returns the exit code. Every
// error becomes a line on stderr and its exit code, even one that no function can catch.
int run_program(int argc, char** argv);

}  // namespace pdl
