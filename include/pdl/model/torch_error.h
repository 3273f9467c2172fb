// What LibTorch's exceptions say, in one line.
#pragma once

#include <exception>
#include <string>

namespace pdl {

// The telling line of a LibTorch exception: what() holds stack traces and, for errors inside a
// TorchScript program, the program's own trace, whose last line is the message.
std::string torch_message(const std::exception& problem);

// True if memory of the device or the host ran out; LibTorch's CPU allocator throws a plain Error,
// and a thread for whose stack there is no memory a std::system_error.
bool is_out_of_memory(const std::exception& problem);

}  // namespace pdl
