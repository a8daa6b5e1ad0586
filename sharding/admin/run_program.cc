#include "sharding/admin/run_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sharding/sql_status.h"

extern char** environ;

namespace meridian {
namespace {

using Clock = std::chrono::steady_clock;

absl::Status SystemError(const std::string& what, int error) {
  return SqlStatus("58000", fmt::format("{}: {}", what, std::strerror(error)));
}

// The reading end of a pipe from the child.
struct Stream {
  int fd = -1;
  std::string* into = nullptr;
};

void Close(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

std::vector<std::string> Environment(const ProgramOptions& options) {
  std::vector<std::string> lines;
  for (char** line = environ; *line != nullptr; ++line) {
    const std::string_view text = *line;
    const bool replaced =
        std::any_of(options.environment.begin(), options.environment.end(), [&](const auto& set) {
          return text.starts_with(set.first) && text.substr(set.first.size()).starts_with('=');
        });
    if (!replaced) lines.emplace_back(text);
  }
  for (const auto& [name, value] : options.environment) {
    lines.push_back(fmt::format("{}={}", name, value));
  }
  return lines;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

absl::StatusOr<pid_t> Spawn(const ProgramOptions& options, int out_fd, int error_fd) {
  std::vector<std::string> argv = options.argv, environment = Environment(options);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
  posix_spawn_file_actions_adddup2(&actions, error_fd, 2);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, argv[0].c_str(), &actions, nullptr, Pointers(argv).data(),
                                 Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return SystemError(fmt::format("cannot run {}", options.argv[0]), failed);
  return pid;
}

// Reads what is there. False at its end.
bool ReadSome(Stream& stream) {
  char buffer[16384];
  const ssize_t length = read(stream.fd, buffer, sizeof(buffer));
  if (length > 0) stream.into->append(buffer, static_cast<size_t>(length));
  return length > 0 || (length < 0 && errno == EINTR);
}

absl::Status ReadAll(const ProgramOptions& options, Stream (&streams)[2]) {
  const auto deadline = Clock::now() + options.timeout;
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    pollfd polled[2] = {{streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      return SqlStatus(
          sqlstate::kQueryCanceled,
          fmt::format("{} did not end within {} ms", options.argv[0], options.timeout.count()));
    }
    poll(polled, 2, static_cast<int>(std::min<int64_t>(left, 1000)));
    for (int i = 0; i < 2; ++i) {
      if (polled[i].revents != 0 && !ReadSome(streams[i])) Close(streams[i].fd);
      if (streams[i].into->size() > options.max_output_bytes) {
        return SqlStatus(
            sqlstate::kProgramLimitExceeded,
            fmt::format("{} wrote more than {} bytes", options.argv[0], options.max_output_bytes));
      }
    }
  }
  return absl::OkStatus();
}

int WaitFor(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

absl::StatusOr<ProgramResult> RunProgram(const ProgramOptions& options) {
  ProgramResult result;
  int out[2] = {-1, -1}, errors[2] = {-1, -1};
  if (pipe2(out, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  if (pipe2(errors, O_CLOEXEC) != 0) {
    const int error = errno;
    Close(out[0]);
    Close(out[1]);
    return SystemError("cannot make a pipe", error);
  }
  auto pid = Spawn(options, out[1], errors[1]);
  Close(out[1]);
  Close(errors[1]);
  Stream streams[2] = {{out[0], &result.output}, {errors[0], &result.errors}};
  absl::Status done = pid.ok() ? ReadAll(options, streams) : pid.status();
  Close(streams[0].fd);
  Close(streams[1].fd);
  if (!pid.ok()) return done;
  if (!done.ok()) kill(*pid, SIGKILL);
  result.exit_code = WaitFor(*pid);
  if (!done.ok()) return done;
  return result;
}

}  // namespace meridian
