// Turns LibTorch's exceptions into messages of one line.
#pragma once

#include <exception>
#include <string>

namespace pdl {

// Returns the line of a LibTorch exception that is the message. what() also holds stack traces and,
// for errors inside a TorchScript program, the program's own trace, whose last line is the message.
std::string torch_message(const std::exception& problem);

// Returns true if memory of the device or the host ran out. LibTorch's CPU allocator throws a plain
// Error, and a thread without memory for its stack a std::system_error.
bool is_out_of_memory(const std::exception& problem);

}  // namespace pdl
