// Programs that a test starts.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace meridian {
inline namespace test_support {

// Starts argv[0] (searched in PATH) in a session of its own, output and errors appended to the file
// `log`. `stdin_fd`: what it reads, -1 for /dev/null. Throws std::runtime_error where it cannot.
pid_t StartProgram(const std::vector<std::string>& argv, const std::string& log, int stdin_fd = -1);

// Starts it, waits for its end; throws with its output where it fails.
void RunProgram(const std::vector<std::string>& argv, const std::string& log);

// As the unprivileged user that PostgreSQL runs as: `argv` itself unless this process is root.
std::vector<std::string> Unprivileged(std::vector<std::string> argv);
// Gives the file to that user. Does nothing unless this process is root.
void GiveToUnprivileged(const std::string& path);

// The last 2,000 bytes of a file, for error messages.
std::string Tail(const std::string& path);

}  // namespace test_support
}  // namespace meridian
