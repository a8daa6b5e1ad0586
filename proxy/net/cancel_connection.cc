#include "proxy/net/cancel_connection.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include "proxy/wire/message_writer.h"

namespace meridian {
namespace {

constexpr time_t kTimeoutSeconds = 5;

struct Work {
  uv_work_t request;
  NodeAddress node;
  std::string packet;
  std::function<void()> done;
};

int ConnectUnix(const NodeAddress& node) {
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  const std::string path = node.host + "/.s.PGSQL." + std::to_string(node.port);
  if (path.size() >= sizeof address.sun_path) return -1;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0) {
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

int ConnectTcp(const NodeAddress& node) {
  struct addrinfo hints {};
  hints.ai_socktype = SOCK_STREAM;
  struct addrinfo* addresses = nullptr;
  if (getaddrinfo(node.host.c_str(), std::to_string(node.port).c_str(), &hints, &addresses) != 0) {
    return -1;
  }
  int connected = -1;
  for (struct addrinfo* at = addresses; at != nullptr && connected < 0; at = at->ai_next) {
    const int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0) continue;
    const struct timeval timeout { kTimeoutSeconds, 0 };
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
      connected = fd;
    } else {
      close(fd);
    }
  }
  freeaddrinfo(addresses);
  return connected;
}

void Run(uv_work_t* request) {
  const Work& work = *static_cast<Work*>(request->data);
  const int fd = work.node.host.starts_with('/') ? ConnectUnix(work.node) : ConnectTcp(work.node);
  if (fd < 0) return;
  if (send(fd, work.packet.data(), work.packet.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(work.packet.size())) {
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) {
    }
  }
  close(fd);
}

}  // namespace

void SendCancel(uv_loop_t* loop, const NodeAddress& node, uint32_t pid, std::string secret,
                std::function<void()> done) {
  auto* work = new Work{{}, node, {}, std::move(done)};
  wire::AppendCancelRequest(work->packet, pid, secret);
  work->request.data = work;
  uv_queue_work(loop, &work->request, Run, [](uv_work_t* request, int /*status*/) {
    const std::unique_ptr<Work> finished(static_cast<Work*>(request->data));
    finished->done();
  });
}

}  // namespace meridian
