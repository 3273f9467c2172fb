// The functions of the C library that are replaced: each tells fault_injector.c its operation.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault_injector.h"

static int open_at(int folder, const char* path, int flags, mode_t mode) {
  const struct operation op = {.kind = "open",
                               .folder = folder,
                               .path = path,
                               .flags = flags,
                               .offset = -1,
                               .number = SYS_openat,
                               .arguments = {folder, (long)path, flags, (long)mode}};
  const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
  return (int)(writes ? perform(&op) : call(&op));
}

static mode_t mode_of(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder, path, flags, mode);
}

int creat(const char* path, mode_t mode) {
  return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int __open_2(const char* path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char* path, int flags) { return open_at(folder, path, flags, 0); }

static ssize_t write_at(int descriptor, const struct iovec* data, int pieces, long long offset,
                        struct operation op) {
  op.kind = "write";
  op.descriptor = descriptor;
  op.data = data;
  op.pieces = pieces;
  op.offset = offset;
  return perform(&op);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  const struct iovec data = {(void*)bytes, size};
  return write_at(
      descriptor, &data, 1, -1,
      (struct operation){.number = SYS_write, .arguments = {descriptor, (long)bytes, (long)size}});
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  const struct iovec data = {(void*)bytes, size};
  return write_at(descriptor, &data, 1, offset,
                  (struct operation){.number = SYS_pwrite64,
                                     .arguments = {descriptor, (long)bytes, (long)size, offset}});
}

ssize_t writev(int descriptor, const struct iovec* data, int pieces) {
  return write_at(
      descriptor, data, pieces, -1,
      (struct operation){.number = SYS_writev, .arguments = {descriptor, (long)data, pieces}});
}

ssize_t pwritev(int descriptor, const struct iovec* data, int pieces, off_t offset) {
  return write_at(descriptor, data, pieces, offset,
                  (struct operation){.number = SYS_pwritev,
                                     .arguments = {descriptor, (long)data, pieces, offset, 0}});
}

static int on_descriptor(const char* kind, int descriptor, long number, long long size) {
  const struct operation op = {.kind = kind,
                               .descriptor = descriptor,
                               .offset = size,
                               .number = number,
                               .arguments = {descriptor, size}};
  return (int)perform(&op);
}

int fsync(int descriptor) { return on_descriptor("fsync", descriptor, SYS_fsync, -1); }
int fdatasync(int descriptor) { return on_descriptor("fsync", descriptor, SYS_fdatasync, -1); }
int ftruncate(int descriptor, off_t size) {
  return on_descriptor("truncate", descriptor, SYS_ftruncate, size);
}

static int on_path(const char* kind, int folder, const char* path, struct operation op) {
  op.kind = kind;
  op.folder = folder;
  op.path = path;
  return (int)perform(&op);
}

int truncate(const char* path, off_t size) {
  return on_path(
      "truncate", AT_FDCWD, path,
      (struct operation){.offset = size, .number = SYS_truncate, .arguments = {(long)path, size}});
}

int unlinkat(int folder, const char* path, int flags) {
  return on_path(
      (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink", folder, path,
      (struct operation){
          .offset = -1, .number = SYS_unlinkat, .arguments = {folder, (long)path, flags}});
}

int unlink(const char* path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char* path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

// std::filesystem removes an empty folder with this.
int remove(const char* path) {
  struct stat status;
  const bool is_folder = lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
  return unlinkat(AT_FDCWD, path, is_folder ? AT_REMOVEDIR : 0);
}

int mkdirat(int folder, const char* path, mode_t mode) {
  return on_path(
      "mkdir", folder, path,
      (struct operation){
          .offset = -1, .number = SYS_mkdirat, .arguments = {folder, (long)path, (long)mode}});
}

int mkdir(const char* path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static int on_two_paths(const char* kind, int folder, const char* path, int second_folder,
                        const char* second_path, long number, long flags) {
  const struct operation op = {
      .kind = kind,
      .folder = folder,
      .path = path,
      .second_folder = second_folder,
      .second_path = second_path,
      .flags = (int)flags,
      .offset = -1,
      .number = number,
      .arguments = {folder, (long)path, second_folder, (long)second_path, flags}};
  return (int)perform(&op);
}

int renameat2(int folder, const char* path, int second_folder, const char* second_path,
              unsigned flags) {
  return on_two_paths("rename", folder, path, second_folder, second_path, SYS_renameat2,
                      (long)flags);
}

int renameat(int folder, const char* path, int second_folder, const char* second_path) {
  return renameat2(folder, path, second_folder, second_path, 0);
}

int rename(const char* path, const char* second_path) {
  return renameat2(AT_FDCWD, path, AT_FDCWD, second_path, 0);
}

int linkat(int folder, const char* path, int second_folder, const char* second_path, int flags) {
  return on_two_paths("link", folder, path, second_folder, second_path, SYS_linkat, flags);
}

int link(const char* path, const char* second_path) {
  return linkat(AT_FDCWD, path, AT_FDCWD, second_path, 0);
}

int statvfs(const char* path, struct statvfs* status) {
  int (*original)(const char*, struct statvfs*) = NULL;
  *(void**)&original = dlsym(RTLD_NEXT, "statvfs");
  return claim_free(original(path, status), status);
}

int fstatvfs(int descriptor, struct statvfs* status) {
  int (*original)(int, struct statvfs*) = NULL;
  *(void**)&original = dlsym(RTLD_NEXT, "fstatvfs");
  return claim_free(original(descriptor, status), status);
}

// With 64-bit offsets these are the same functions.
_Static_assert(sizeof(off_t) == sizeof(long), "written for systems of 64 bits");
int open64(const char* path, int flags, ...) __attribute__((alias("open")));
int openat64(int folder, const char* path, int flags, ...) __attribute__((alias("openat")));
int creat64(const char* path, mode_t mode) __attribute__((alias("creat")));
int __open64_2(const char* path, int flags) __attribute__((alias("__open_2")));
int __openat64_2(int folder, const char* path, int flags) __attribute__((alias("__openat_2")));
ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off64_t offset)
    __attribute__((alias("pwrite")));
ssize_t pwritev64(int descriptor, const struct iovec* data, int pieces, off64_t offset)
    __attribute__((alias("pwritev")));
int ftruncate64(int descriptor, off64_t size) __attribute__((alias("ftruncate")));
int truncate64(const char* path, off64_t size) __attribute__((alias("truncate")));
int statvfs64(const char* path, struct statvfs64* status) __attribute__((alias("statvfs")));
int fstatvfs64(int descriptor, struct statvfs64* status) __attribute__((alias("fstatvfs")));
