// The numeric addresses of a socket's two ends, asked of the kernel when somebody wants to see
// them.
#pragma once

#include <string>

namespace meridian {

class Stream;

struct SocketEnds {
  std::string peer;  // "unix" for a unix socket; empty: not known
  int peer_port = 0;
  std::string local;
  int local_port = 0;
};

SocketEnds EndsOf(const Stream& stream);

}  // namespace meridian
