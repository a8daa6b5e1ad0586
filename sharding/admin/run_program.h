// Runs another program to its end and takes its output. Blocking; any thread.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace meridian {

struct ProgramOptions {
  std::vector<std::string> argv;  // argv[0]: the program's path
  // Added to this process's environment: the place for secrets, which argv would show to everyone.
  std::vector<std::pair<std::string, std::string>> environment;
  std::chrono::milliseconds timeout{60000};
  size_t max_output_bytes = 16 << 20;
};

struct ProgramResult {
  int exit_code = 0;  // 128 + n: ended by signal n
  std::string output;
  std::string errors;
};

// 58000 where it cannot be started, 57014 at the timeout and 54000 beyond max_output_bytes: it is
// killed then.
absl::StatusOr<ProgramResult> RunProgram(const ProgramOptions& options);

}  // namespace meridian
