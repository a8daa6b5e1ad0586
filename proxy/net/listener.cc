#include "proxy/net/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace meridian {
namespace {

constexpr int kBacklog = 1024;

absl::Status CannotListen(const std::string& address, const char* why) {
  return absl::UnavailableError("cannot listen on " + address + ": " + why);
}

int OpenSocket(const struct addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// Whether somebody answers on the unix socket.
bool IsAlive(const struct sockaddr_un& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool alive = fd >= 0 && connect(fd, reinterpret_cast<const struct sockaddr*>(&address),
                                        sizeof address) == 0;
  if (fd >= 0) close(fd);
  return alive;
}

}  // namespace

Listener::Listener(uv_loop_t* loop, int fd, std::string name, bool is_unix, Accept accept)
    : poll_(new uv_poll_t),
      fd_(fd),
      reserve_fd_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
      name_(std::move(name)),
      is_unix_(is_unix),
      accept_(std::move(accept)) {
  uv_poll_init(loop, poll_, fd);
  poll_->data = this;
}

absl::Status Listener::Start() {
  if (listen(fd_, kBacklog) != 0) return CannotListen(name_, std::strerror(errno));
  uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int status, int /*events*/) {
    if (status == 0) static_cast<Listener*>(handle->data)->OnReadable();
  });
  return absl::OkStatus();
}

Listener::~Listener() { Close(); }

void Listener::Close() {
  if (fd_ < 0) return;
  uv_close(reinterpret_cast<uv_handle_t*>(poll_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  close(fd_);
  close(reserve_fd_);
  if (is_unix_) unlink(name_.c_str());
  fd_ = -1;
}

absl::StatusOr<std::vector<std::unique_ptr<Listener>>> Listener::OpenTcp(uv_loop_t* loop,
                                                                         const std::string& host,
                                                                         int port,
                                                                         const Accept& accept) {
  const std::string name = host + ":" + std::to_string(port);
  struct addrinfo hints {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  struct addrinfo* addresses = nullptr;
  const int status = getaddrinfo(host == "*" ? nullptr : host.c_str(), std::to_string(port).c_str(),
                                 &hints, &addresses);
  if (status != 0) return CannotListen(name, gai_strerror(status));
  std::vector<std::unique_ptr<Listener>> listeners;
  int error = 0;
  for (const struct addrinfo* at = addresses; at != nullptr; at = at->ai_next) {
    const int fd = OpenSocket(*at);
    if (fd >= 0) {
      listeners.push_back(std::unique_ptr<Listener>(new Listener(loop, fd, name, false, accept)));
    } else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) {
      error = errno;
    }
  }
  freeaddrinfo(addresses);
  if (error != 0 || listeners.empty()) {
    return CannotListen(name, std::strerror(error != 0 ? error : EADDRNOTAVAIL));
  }
  return listeners;
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::OpenUnix(uv_loop_t* loop,
                                                             const std::string& directory, int port,
                                                             const Accept& accept) {
  const std::string path = directory + "/.s.PGSQL." + std::to_string(port);
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return CannotListen(path, "the path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (IsAlive(address)) return CannotListen(path, "another process listens there");
  unlink(path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return CannotListen(path, std::strerror(error));
  }
  chmod(path.c_str(), 0777);  // who may connect is a matter of authentication, as with PostgreSQL
  return std::unique_ptr<Listener>(new Listener(loop, fd, path, true, accept));
}

void Listener::OnReadable() {
  // As many as there are, but other events get their turn.
  for (int i = 0; i < 64; ++i) {
    int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const bool out_of_files = fd < 0 && (errno == EMFILE || errno == ENFILE);
    if (out_of_files) {
      // The file kept for this, so that the client hears of it and does not stay in the backlog.
      close(reserve_fd_);
      fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    if (fd >= 0) accept_(fd, is_unix_, out_of_files);
    if (out_of_files) reserve_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
  }
}

}  // namespace meridian
