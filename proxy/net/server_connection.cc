#include "proxy/net/server_connection.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/un.h>

#include "proxy/net/worker.h"

namespace meridian {

ServerConnection::ServerConnection(Worker& worker, Server& server, const NodeAddress& node)
    : worker_(worker),
      server_(&server),
      node_(node),
      stream_(worker.loop(), worker.read_buffer(), *this, node.host.starts_with('/')) {
  connect_.data = resolve_.data = this;
}

void ServerConnection::Connect() {
  const auto on_connect = [](uv_connect_t* request, int status) {
    static_cast<ServerConnection*>(request->data)->OnConnect(status);
  };
  if (stream_.is_unix()) {
    const std::string path = node_.host + "/.s.PGSQL." + std::to_string(node_.port);
    ++requests_;
    uv_pipe_connect(&connect_, stream_.pipe(), path.c_str(), on_connect);
    return;
  }
  const std::string port = std::to_string(node_.port);
  struct addrinfo hints {};
  hints.ai_socktype = SOCK_STREAM;
  ++requests_;
  const int status = uv_getaddrinfo(
      worker_.loop(), &resolve_,
      [](uv_getaddrinfo_t* request, int result, struct addrinfo* addresses) {
        auto& self = *static_cast<ServerConnection*>(request->data);
        --self.requests_;
        self.addresses_ = addresses;
        if (self.server_ == nullptr) {
          if (self.closed_) self.OnClosed();
          return;
        }
        if (result != 0 || addresses == nullptr) {
          self.Fail(uv_strerror(result));
          return;
        }
        // A name with addresses of both kinds ("localhost") is more often served on IPv4.
        const struct addrinfo* chosen = addresses;
        for (const struct addrinfo* at = addresses; at != nullptr; at = at->ai_next) {
          if (at->ai_family == AF_INET) {
            chosen = at;
            break;
          }
        }
        self.ConnectTo(chosen->ai_addr);
      },
      node_.host.c_str(), port.c_str(), &hints);
  if (status != 0) {
    --requests_;
    Fail(uv_strerror(status));
  }
}

void ServerConnection::ConnectTo(const struct sockaddr* address) {
  ++requests_;
  const int status =
      uv_tcp_connect(&connect_, stream_.tcp(), address, [](uv_connect_t* request, int result) {
        static_cast<ServerConnection*>(request->data)->OnConnect(result);
      });
  if (status != 0) {
    --requests_;
    Fail(uv_strerror(status));
  }
}

void ServerConnection::OnConnect(int status) {
  --requests_;
  if (server_ == nullptr) {
    if (closed_) OnClosed();
    return;
  }
  if (status != 0) {
    Fail(uv_strerror(status));
    return;
  }
  connected_ = true;
  if (!stream_.is_unix()) uv_tcp_nodelay(stream_.tcp(), 1);
  stream_.SetReading(true);
  worker_.pools().OnConnected(*server_);
  Flush();
  worker_.EndEvent();
}

void ServerConnection::Fail(std::string_view why) {
  Server* const server = server_;
  if (server == nullptr) return;
  worker_.pools().OnServerClosed(*server, why);
  worker_.EndEvent();
}

void ServerConnection::Detach() {
  server_ = nullptr;
  stream_.CloseNow();
}

void ServerConnection::Flush() {
  if (server_ != nullptr && connected_) stream_.Flush(server_->out);
}

void ServerConnection::SetPaused(Pause reason, bool paused) {
  const unsigned bit = reason;
  paused_ = paused ? paused_ | bit : paused_ & ~bit;
  stream_.SetReading(paused_ == 0);
}

void ServerConnection::OnRead(std::string_view bytes) {
  if (server_ == nullptr) return;
  server_->pool.metrics().bytes_received.Add(bytes.size());
  worker_.pools().OnServerBytes(*server_, bytes);
  Flush();
  worker_.EndEvent();
}

void ServerConnection::OnReadEnd(std::string_view why, bool /*lost*/) { Fail(why); }

void ServerConnection::OnDrained() {
  if (server_ != nullptr) worker_.OnServerDrained(*server_);
}

void ServerConnection::OnClosed() {
  closed_ = true;
  if (requests_ > 0) return;  // their callbacks come first
  if (addresses_ != nullptr) uv_freeaddrinfo(addresses_);
  delete this;
}

}  // namespace meridian
