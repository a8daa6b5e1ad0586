#include "proxy/net/socket_ends.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "proxy/net/stream.h"

namespace meridian {
namespace {

// getpeername or getsockname.
using NameOf = int (*)(int, struct sockaddr*, socklen_t*);

void SetEnd(int fd, NameOf name_of, std::string* host, int* port) {
  struct sockaddr_storage address {};
  socklen_t size = sizeof address;
  if (name_of(fd, reinterpret_cast<struct sockaddr*>(&address), &size) != 0) return;
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const struct sockaddr_in&>(address);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    *port = ntohs(in.sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const struct sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
    *port = ntohs(in.sin6_port);
  }
  *host = text;
}

}  // namespace

SocketEnds EndsOf(const Stream& stream) {
  SocketEnds ends;
  if (stream.is_unix()) {
    ends.peer = ends.local = "unix";
    return ends;
  }
  SetEnd(stream.fd(), getpeername, &ends.peer, &ends.peer_port);
  SetEnd(stream.fd(), getsockname, &ends.local, &ends.local_port);
  return ends;
}

}  // namespace meridian
