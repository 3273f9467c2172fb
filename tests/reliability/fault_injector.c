// Makes storage fail for a program that is started with LD_PRELOAD=libfault_injector.so. It counts
// the operations that change what is on disk, and does something at the k-th. Without FAULT_DIR
// nothing is changed.
//
//   FAULT_DIR     absolute folder; operations on it and below it are looked at
//   FAULT_PATHS   extended regular expression for the path relative to FAULT_DIR ("" is the folder
//                 itself): only operations on paths that match are counted. Default: all
//   FAULT_FROM    another: counting begins with the first operation, counted or not, on such a path
//   FAULT_ACTION  count (the default)
//                 record       count, and put what is written into the trace
//                 fail         the operation is not done, and fails with FAULT_ERRNO
//                 short        a write transfers half of its bytes
//                 stall        the operation never returns; others are not held up
//                 kill-before, kill-after: SIGKILL
//   FAULT_AT      k, from 1: which operation it is done to
//   FAULT_TIMES   how many operations from the k-th on fail or are short. Default 1; 0: all of them
//   FAULT_ERRNO   number of the error
//   FAULT_FREE    bytes that the file system of any path claims to have free
//   FAULT_TRACE   file outside FAULT_DIR, to which a line per counted operation is appended: index,
//                 kind, path, second path, offset, bytes of data that follow the line, flags of
//                 open, rename or link, outcome; separated by tabs. The outcome is `ok`, `fault`,
//                 `kill`, or the number of a genuine error
//
// Kinds: open (for writing), write, fsync, rename, link, unlink, rmdir, mkdir, truncate. Writes
// through stdio are not seen, because the C library makes them without a call that could be
// replaced. One operation runs at a time, so that the trace has the order in which they took
// effect.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault_injector.h"

enum action { kCount, kRecord, kFail, kShort, kStall, kKillBefore, kKillAfter };
static const char* const kActions[] = {"count", "record",      "fail",      "short",
                                       "stall", "kill-before", "kill-after"};

static struct {
  bool active;
  char folder[PATH_MAX];
  bool has_paths, has_from;
  regex_t paths, from;
  enum action action;
  long at, times;
  long long free_bytes;  // -1: as it is
  int error_number;
  int trace;  // descriptor, -1: none
  bool counting;
  long count;
  pthread_mutex_t mutex;
} state = {.free_bytes = -1, .trace = -1, .mutex = PTHREAD_MUTEX_INITIALIZER};

static void give_up(const char* what) {
  dprintf(STDERR_FILENO, "fault_injector: %s\n", what);
  _exit(99);
}

static long number_of(const char* name, long otherwise) {
  const char* text = getenv(name);
  return text ? strtol(text, NULL, 10) : otherwise;
}

static bool compile(const char* name, regex_t* expression) {
  const char* text = getenv(name);
  if (!text) return false;
  if (regcomp(expression, text, REG_EXTENDED | REG_NOSUB) != 0)
    give_up("FAULT_PATHS or FAULT_FROM is no expression");
  return true;
}

__attribute__((constructor)) static void start(void) {
  const char* folder = getenv("FAULT_DIR");
  if (!folder) return;
  snprintf(state.folder, sizeof(state.folder), "%s", folder);
  state.has_paths = compile("FAULT_PATHS", &state.paths);
  state.has_from = compile("FAULT_FROM", &state.from);
  state.counting = !state.has_from;
  const char* action = getenv("FAULT_ACTION");
  while (action && state.action <= kKillAfter && strcmp(action, kActions[state.action]) != 0)
    ++state.action;
  if (state.action > kKillAfter) give_up("FAULT_ACTION is unknown");
  state.at = number_of("FAULT_AT", -1);
  state.times = number_of("FAULT_TIMES", 1);
  state.error_number = (int)number_of("FAULT_ERRNO", EIO);
  state.free_bytes = number_of("FAULT_FREE", -1);
  const char* trace = getenv("FAULT_TRACE");
  if (trace) {
    state.trace =
        (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (state.trace < 0) give_up("FAULT_TRACE cannot be opened");
  }
  state.active = true;
}

// Returns the absolute path of an open file, without what Linux adds to that of a deleted one.
static bool path_of(int descriptor, char* path) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0) return false;
  path[length] = '\0';
  return true;
}

// Drops doubled slashes, `/.`, and the slash at the end.
static void tidy(char* path) {
  char* to = path;
  for (const char* from = path; *from; ++from) {
    if (*from == '/' && (from[1] == '/' || from[1] == '\0')) continue;
    if (*from == '/' && from[1] == '.' && (from[2] == '/' || from[2] == '\0')) {
      ++from;
      continue;
    }
    *to++ = *from;
  }
  *to = '\0';
}

static bool resolve(int folder, const char* path, char* absolute) {
  char base[PATH_MAX] = "";
  if (path[0] != '/') {
    const bool found =
        folder == AT_FDCWD ? getcwd(base, sizeof(base)) != NULL : path_of(folder, base);
    if (!found) return false;
  }
  char joined[2 * PATH_MAX];
  snprintf(joined, sizeof(joined), "%s%s%s", base, path[0] == '/' ? "" : "/", path);
  tidy(joined);
  if (strlen(joined) >= PATH_MAX) return false;
  strcpy(absolute, joined);
  return true;
}

// Returns the part below FAULT_DIR, or null for a path elsewhere.
static const char* relative(const char* absolute) {
  const size_t length = strlen(state.folder);
  if (strncmp(absolute, state.folder, length) != 0) return NULL;
  if (absolute[length] == '\0') return "";
  return absolute[length] == '/' ? absolute + length + 1 : NULL;
}

static bool matches(const regex_t* expression, const char* path) {
  return path && regexec(expression, path, 0, NULL, 0) == 0;
}

static void put(const void* bytes, size_t size) {
  for (const char* from = bytes; size > 0;) {
    const long written = syscall(SYS_write, state.trace, from, size);
    if (written <= 0) give_up("FAULT_TRACE cannot be written");
    from += written;
    size -= (size_t)written;
  }
}

static void trace(const struct operation* op, const char* path, const char* second,
                  long long offset, long result, const char* outcome) {
  if (state.trace < 0) return;
  size_t left = state.action == kRecord && op->data && result > 0 ? (size_t)result : 0;
  char line[2 * PATH_MAX + 128];
  const int length =
      snprintf(line, sizeof(line), "%ld\t%s\t%s\t%s\t%lld\t%zu\t%d\t%s\n", state.count, op->kind,
               path, second ? second : "", offset, left, op->flags, outcome);
  put(line, (size_t)length);
  for (int i = 0; i < op->pieces && left > 0; ++i) {
    const size_t part = op->data[i].iov_len < left ? op->data[i].iov_len : left;
    put(op->data[i].iov_base, part);
    left -= part;
  }
}

long call(const struct operation* op) {
  const long* a = op->arguments;
  return syscall(op->number, a[0], a[1], a[2], a[3], a[4]);
}

// Returns half of the first piece, as a full disk or a signal may leave it.
static long write_short(const struct operation* op) {
  size_t length = op->data[0].iov_len;
  if (length >= 2) length /= 2;
  if (op->offset < 0) return syscall(SYS_write, op->descriptor, op->data[0].iov_base, length);
  return syscall(SYS_pwrite64, op->descriptor, op->data[0].iov_base, length, op->offset);
}

// Returns where a write goes: the end of a file that was opened to append to.
static long long place_of(const struct operation* op) {
  if (!op->data || op->offset >= 0) return op->offset;
  if ((fcntl(op->descriptor, F_GETFL) & O_APPEND) == 0) return lseek(op->descriptor, 0, SEEK_CUR);
  struct stat status;
  return fstat(op->descriptor, &status) == 0 ? status.st_size : -1;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static long perform_counted(const struct operation* op, const char* path, const char* second) {
  ++state.count;
  const bool chosen = state.at > 0 && state.count >= state.at &&
                      (state.times == 0 || state.count < state.at + state.times);
  const long long offset = place_of(op);
  if (chosen && state.action == kKillBefore) {
    trace(op, path, second, offset, 0, "kill");
    die();
  }
  if (chosen && state.action == kFail) {
    trace(op, path, second, offset, 0, "fault");
    errno = state.error_number;
    return -1;
  }
  if (chosen && state.action == kStall) {
    trace(op, path, second, offset, 0, "fault");
    pthread_mutex_unlock(&state.mutex);
    for (;;) pause();
  }
  const bool is_short = chosen && state.action == kShort && op->data && op->pieces > 0;
  const long result = is_short ? write_short(op) : call(op);
  const int error_number = errno;
  char outcome[16] = "ok";
  if (is_short) strcpy(outcome, "fault");
  if (result < 0) snprintf(outcome, sizeof(outcome), "%d", error_number);
  if (chosen && state.action == kKillAfter) strcpy(outcome, "kill");
  trace(op, path, second, offset, result, outcome);
  if (chosen && state.action == kKillAfter) die();
  errno = error_number;
  return result;
}

long perform(const struct operation* op) {
  if (!state.active) return call(op);
  char absolute[PATH_MAX], second_absolute[PATH_MAX];
  const char *path = NULL, *second = NULL;
  if (op->path ? resolve(op->folder, op->path, absolute) : path_of(op->descriptor, absolute))
    path = relative(absolute);
  if (op->second_path && resolve(op->second_folder, op->second_path, second_absolute))
    second = relative(second_absolute);
  if (!path && !second) return call(op);
  pthread_mutex_lock(&state.mutex);
  if (!state.counting) state.counting = matches(&state.from, path) || matches(&state.from, second);
  const bool counted = state.counting && (!state.has_paths || matches(&state.paths, path) ||
                                          matches(&state.paths, second));
  const long result = counted ? perform_counted(op, path ? path : "(elsewhere)", second) : call(op);
  const int error_number = errno;
  pthread_mutex_unlock(&state.mutex);
  errno = error_number;
  return result;
}

int claim_free(int result, struct statvfs* status) {
  if (result == 0 && state.free_bytes >= 0) {
    status->f_bfree = (fsblkcnt_t)state.free_bytes / status->f_frsize;
    status->f_bavail = status->f_bfree;
  }
  return result;
}
