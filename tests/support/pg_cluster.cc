#include "tests/support/pg_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/support/child_process.h"

namespace meridian {
inline namespace test_support {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{10};
constexpr std::chrono::seconds kStartDeadline{60};
constexpr std::chrono::seconds kStopDeadline{30};

std::string Program(const std::string& name) {
  const char* directory = std::getenv("PG_BINDIR");
  return std::string(directory == nullptr ? "/usr/lib/postgresql/15/bin" : directory) + "/" + name;
}

// Waits for the end of this process (the end of its input), then stops the servers that are left
// under the directory $1 and removes it.
constexpr char kGuardian[] = R"sh(
cat
for f in "$1"/*/data/postmaster.pid; do
  [ -f "$f" ] || continue
  kill -QUIT "$(head -n 1 "$f")"
  n=0
  while [ -f "$f" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
done
rm -rf "$1"
)sh";

// The process's directory of clusters.
class Root {
 public:
  static Root& Get() {
    static Root* root = new Root;  // lives until the guardian sees the end of the process
    return *root;
  }

  std::string NewDirectory() {
    const std::lock_guard lock(mutex_);
    const std::string dir = dir_ + "/" + std::to_string(++count_);
    fs::create_directory(dir);
    GiveToUnprivileged(dir);
    return dir;
  }

  static void InitDb(const std::string& data, const std::string& log) {
    RunProgram(
        Unprivileged({Program("initdb"), "--pgdata=" + data, "--username=postgres", "--auth=trust",
                      "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"}),
        log);
  }

  // A data directory to copy.
  std::string Template() {
    const std::lock_guard lock(mutex_);
    if (template_.empty()) {
      InitDb(dir_ + "/template", dir_ + "/initdb.log");
      template_ = dir_ + "/template";
    }
    return template_;
  }

 private:
  Root() {
    std::string pattern = (fs::temp_directory_path() / "meridian_test_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      throw std::runtime_error(pattern + ": " + std::strerror(errno));
    }
    dir_ = pattern;
    GiveToUnprivileged(dir_);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(std::strerror(errno));
    StartProgram({"sh", "-c", kGuardian, "guardian", dir_}, "/dev/null", ends[0]);
    close(ends[0]);  // the other end stays open as long as this process lives
  }

  std::mutex mutex_;
  std::string dir_;
  std::string template_;
  int count_ = 0;
};

uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const bool found = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!found) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

}  // namespace

PgCluster::PgCluster(const PgClusterOptions& options) : dir_(Root::Get().NewDirectory()) {
  MakeDataDirectory(options);
  // Another process may take the port between the search and the start.
  constexpr int kAttempts = 5;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    port_ = FreePort();
    WriteSettings(options);
    if (TryStart()) return;
  }
  throw std::runtime_error("PostgreSQL does not start: " + Tail(log_file()));
}

PgCluster::~PgCluster() {
  try {
    Stop(StopMode::kImmediate);
  } catch (const std::exception&) {
    kill(pid_, SIGKILL);
  }
  std::error_code ignored;  // what is left goes with the process's directory
  fs::remove_all(dir_, ignored);
}

void PgCluster::MakeDataDirectory(const PgClusterOptions& options) {
  if (options.own_system_identifier) {
    Root::InitDb(data_dir(), log_file());
  } else {
    RunProgram(Unprivileged({"cp", "-a", Root::Get().Template(), data_dir()}), log_file());
  }
  if (options.hba.empty()) return;
  std::ofstream hba(data_dir() + "/pg_hba.conf", std::ios::trunc);
  for (const std::string& line : options.hba) hba << line << "\n";
}

void PgCluster::WriteSettings(const PgClusterOptions& options) {
  // The last line of a name wins, so the test's settings override ours.
  std::ofstream conf(data_dir() + "/postgresql.auto.conf", std::ios::trunc);
  conf << "listen_addresses = '127.0.0.1'\n"
       << "port = " << port_ << "\n"
       << "unix_socket_directories = '" << dir_ << "'\n"
       << "fsync = off\nfull_page_writes = off\n"
       << "shared_buffers = '32MB'\n"
       << "wal_level = logical\nmax_prepared_transactions = 64\n";
  for (const auto& [name, value] : options.settings) conf << name << " = " << value << "\n";
}

bool PgCluster::TryStart() {
  pid_ = StartProgram(Unprivileged({Program("postgres"), "-D", data_dir()}), log_file());
  const std::string conninfo = ConnInfo();
  const auto deadline = steady_clock::now() + kStartDeadline;
  while (steady_clock::now() < deadline) {
    if (PQping(conninfo.c_str()) == PQPING_OK) return true;
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    std::this_thread::sleep_for(kPoll);
  }
  throw std::runtime_error("PostgreSQL takes too long to start: " + Tail(log_file()));
}

void PgCluster::Start() {
  if (pid_ > 0) return;
  if (!TryStart()) throw std::runtime_error("PostgreSQL does not start: " + Tail(log_file()));
}

void PgCluster::Stop(StopMode mode) {
  if (pid_ <= 0) return;
  kill(pid_, mode == StopMode::kFast ? SIGINT : SIGQUIT);
  const auto deadline = steady_clock::now() + kStopDeadline;
  while (waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (steady_clock::now() > deadline) {
      throw std::runtime_error("PostgreSQL does not stop: " + Tail(log_file()));
    }
    std::this_thread::sleep_for(kPoll);
  }
  pid_ = -1;
}

std::string PgCluster::ConnInfo(std::string_view dbname, std::string_view user) const {
  return fmt::format("host={} port={} dbname={} user={}", dir_, port_, dbname, user);
}

}  // namespace test_support
}  // namespace meridian
