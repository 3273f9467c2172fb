// What replaced_functions.c hands to fault_injector.c. Hidden from the program that both are loaded
// into: functions of its own may have these names.
#pragma once

#include <sys/statvfs.h>
#include <sys/uio.h>

#pragma GCC visibility push(hidden)

// A call on one path or two, or on a descriptor; folders and descriptor as the system calls take
// them.
struct operation {
  const char* kind;
  int folder;
  const char* path;  // null: the file of `descriptor`
  int second_folder;
  const char* second_path;
  int descriptor;
  int flags;
  const struct iovec* data;  // of a write
  int pieces;
  long long offset;  // of a write; -1: at the position of the descriptor
  long number, arguments[5];
};

// Makes the system call.
long call(const struct operation* op);

// Makes it, or does to it what the environment asks for.
long perform(const struct operation* op);

// Writes FAULT_FREE into what a call that returned `result` has found; returns `result`.
int claim_free(int result, struct statvfs* status);

#pragma GCC visibility pop
