#include "pdl/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace pdl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A container or a chroot may lack devpts.
bool has_pseudo_terminals() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (master >= 0) ::close(master);
  return master >= 0;
}

// Captures stderr.
class Terminal {
 public:
  Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY)), stderr_(::dup(STDERR_FILENO)) {
    if (master_ < 0) throw std::runtime_error("no pseudo-terminal can be opened");
    ::grantpt(master_);
    ::unlockpt(master_);
    const int slave = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    ::dup2(slave, STDERR_FILENO);
    ::close(slave);
  }
  ~Terminal() {
    ::dup2(stderr_, STDERR_FILENO);
    ::close(stderr_);
    ::close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  std::string shown() const {
    std::array<char, 4096> buffer{};
    const ssize_t size = ::read(master_, buffer.data(), buffer.size());
    return {buffer.data(), size > 0 ? static_cast<size_t>(size) : 0};
  }

 private:
  int master_;
  int stderr_;
};

TEST(LogTest, TheProgressLineShowsNoControlCharacters) {
  if (!has_pseudo_terminals()) GTEST_SKIP() << "no pseudo-terminal can be opened";
  std::string shown;
  {
    const Terminal terminal;
    ASSERT_TRUE(progress_is_visible());
    show_progress("file a\x1b[31m\n\xff.txt");
    shown = terminal.shown();
    show_progress("");
  }
  EXPECT_THAT(shown, HasSubstr("file a\\u{1b}[31m\\n\\xff.txt"));
  EXPECT_THAT(shown, Not(HasSubstr("\x1b[31m")));
}

TEST(LogTest, LinesShowNoControlCharacters) {
  if (!has_pseudo_terminals()) GTEST_SKIP() << "no pseudo-terminal can be opened";
  std::string shown;
  {
    const Terminal terminal;
    log_warning("file a\x1b[31m\nerror: \xff.txt");
    shown = terminal.shown();
  }
  EXPECT_THAT(shown, HasSubstr("warning: file a\\u{1b}[31m\\nerror: \\xff.txt"));
}

}  // namespace
}  // namespace pdl
