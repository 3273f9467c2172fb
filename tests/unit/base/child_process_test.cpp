#include "pdl/base/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>

#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience(20);

class ChildProcessTest : public ::testing::Test {
 protected:
  std::unique_ptr<ChildProcess> shell(const std::string& script, const std::string& input = "") {
    return std::make_unique<ChildProcess>(
        ChildCommand{.program = "/bin/sh", .arguments = {"-c", script}, .input = input},
        folder_.path());
  }

  static int wait_for(ChildProcess& process) {
    const Clock::time_point begin = Clock::now();
    while (Clock::now() - begin < kPatience) {
      if (const std::optional<int> code = process.exit_code()) return *code;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return -1;
  }

  void wait_for_file(const std::string& name) const {
    const Clock::time_point begin = Clock::now();
    while (!std::filesystem::exists(folder_ / name) && Clock::now() - begin < kPatience)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ASSERT_TRUE(std::filesystem::exists(folder_ / name));
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  TempFolder folder_;
};

TEST_F(ChildProcessTest, TellsHowTheProcessEnds) {
  EXPECT_EQ(wait_for(*shell("exit 0")), 0);
  EXPECT_EQ(wait_for(*shell("exit 7")), 7);
  EXPECT_EQ(wait_for(*shell("kill -KILL $$")), 128 + SIGKILL);
  const auto process = shell("exit 3");
  EXPECT_EQ(wait_for(*process), 3);
  process->send(SIGTERM);  // nobody
  EXPECT_EQ(process->exit_code(), 3);
}

TEST_F(ChildProcessTest, StdinIsAFileThatCanBeOpenedByItsName) {
  const std::string input = std::string(200'000, 'x') + "\n";
  EXPECT_EQ(wait_for(*shell("cat /dev/stdin > " + path("copy"), input)), 0);
  EXPECT_EQ(file_content(path("copy")), input);
}

TEST_F(ChildProcessTest, TheLastErrorIsKeptAndNothingElseIsShown) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const auto process = shell(
      "echo shown; echo 'error: first' >&2; echo '2026 info: error: none' >&2;"
      "echo 'error: flags: 2 problems' >&2; echo '  --a: b' >&2");
  EXPECT_EQ(wait_for(*process), 0);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(process->last_error(), ElementsAre("flags: 2 problems", "  --a: b"));
}

TEST_F(ChildProcessTest, WithoutAnErrorThereIsNone) {
  const auto quiet = shell("echo 'info: error: none' >&2");
  EXPECT_EQ(wait_for(*quiet), 0);
  EXPECT_THAT(quiet->last_error(), IsEmpty());
  const auto loud = shell(
      "i=0; while [ $i -lt 9000 ]; do echo line $i >&2; i=$((i+1)); done;"
      "echo 'error: at the end' >&2");
  EXPECT_EQ(wait_for(*loud), 0);
  EXPECT_THAT(loud->last_error(), ElementsAre("at the end"));
}

TEST_F(ChildProcessTest, AProgramThatIsNotThereIsAnErrorOfTheChild) {
  ChildProcess process({.program = "/no/such/program", .arguments = {}, .input = ""},
                       folder_.path());
  EXPECT_EQ(wait_for(process), 126);
  EXPECT_THAT(process.last_error(), ElementsAre("the program cannot start itself"));
}

TEST_F(ChildProcessTest, SignalsArePassedOn) {
  const auto process =
      shell("trap 'exit 9' TERM; touch " + path("ready") + "; while :; do sleep 0.01; done");
  wait_for_file("ready");
  process->send(SIGTERM);
  EXPECT_EQ(wait_for(*process), 9);
}

// A signal to a child that has not become its program yet must not be lost in handlers of this one.
TEST_F(ChildProcessTest, ASignalRightAfterTheStartEndsTheProcess) {
  struct sigaction ours {};
  struct sigaction before {};
  ours.sa_handler = [](int) {};
  ::sigaction(SIGTERM, &ours, &before);
  for (int i = 0; i < 50; ++i) {
    const auto process = shell("sleep 20");
    if (i % 2 == 1) process->send(SIGUSR1);  // changes nothing
    process->send(SIGTERM);
    EXPECT_EQ(wait_for(*process), 128 + SIGTERM);
  }
  ::sigaction(SIGTERM, &before, nullptr);
}

TEST_F(ChildProcessTest, AnObjectThatGoesEndsItsProcess) {
  {
    const auto process = shell("trap 'touch " + path("saved") + "; exit 143' TERM; touch " +
                               path("ready") + "; while :; do sleep 0.01; done");
    wait_for_file("ready");
  }
  EXPECT_TRUE(std::filesystem::exists(folder_ / "saved"));
}

TEST_F(ChildProcessTest, TheProcessEndsWhenThisOneIsKilled) {
  const pid_t parent = ::fork();
  if (parent == 0) {
    const auto process = shell("trap '' TERM; echo $$ > " + path("unready") + "; mv " +
                               path("unready") + " " + path("pid") + "; sleep 60");
    while (true) ::pause();
  }
  wait_for_file("pid");
  const pid_t child = static_cast<pid_t>(std::stol(file_content(path("pid"))));
  EXPECT_EQ(::kill(child, 0), 0);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  const Clock::time_point begin = Clock::now();
  const auto is_running = [&] {  // a zombie, which nobody may collect here, is none
    const std::string status = file_content("/proc/" + std::to_string(child) + "/stat");
    return !status.empty() && status.find(") Z") == std::string::npos;
  };
  while (is_running() && Clock::now() - begin < kPatience)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_FALSE(is_running());
}

}  // namespace
}  // namespace pdl
