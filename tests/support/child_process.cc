#include "tests/support/child_process.h"

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace meridian {
inline namespace test_support {
namespace {

const passwd* UnprivilegedUser() {
  if (const passwd* user = getpwnam("postgres")) return user;
  if (const passwd* user = getpwnam("nobody")) return user;
  throw std::runtime_error("neither a user postgres nor a user nobody to run PostgreSQL as");
}

}  // namespace

pid_t StartProgram(const std::vector<std::string>& argv, const std::string& log, int stdin_fd) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  if (stdin_fd >= 0) {
    posix_spawn_file_actions_adddup2(&files, stdin_fd, STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);

  std::vector<char*> arguments;
  for (const std::string& argument : argv) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int error =
      posix_spawnp(&pid, arguments[0], &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) throw std::runtime_error(argv[0] + ": " + std::strerror(error));
  return pid;
}

void RunProgram(const std::vector<std::string>& argv, const std::string& log) {
  const pid_t pid = StartProgram(argv, log);
  int status = 0;
  waitpid(pid, &status, 0);
  if (status != 0) throw std::runtime_error(argv[0] + " failed: " + Tail(log));
}

std::vector<std::string> Unprivileged(std::vector<std::string> argv) {
  if (geteuid() != 0) return argv;
  const passwd* user = UnprivilegedUser();
  std::vector<std::string> whole = {"setpriv", "--reuid=" + std::to_string(user->pw_uid),
                                    "--regid=" + std::to_string(user->pw_gid), "--clear-groups",
                                    "--"};
  whole.insert(whole.end(), argv.begin(), argv.end());
  return whole;
}

void GiveToUnprivileged(const std::string& path) {
  if (geteuid() != 0) return;
  const passwd* user = UnprivilegedUser();
  if (chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) {
    throw std::runtime_error("chown " + path + ": " + std::strerror(errno));
  }
}

std::string Tail(const std::string& path) {
  constexpr size_t kTailBytes = 2000;
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.size() <= kTailBytes ? text : text.substr(text.size() - kTailBytes);
}

}  // namespace test_support
}  // namespace meridian
