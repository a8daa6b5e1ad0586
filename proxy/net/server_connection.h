// One server's socket: connects, and moves bytes between it and ServerPools.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/net/stream.h"
#include "proxy/pool/server.h"

namespace meridian {

class Worker;

class ServerConnection final : public StreamOwner {
 public:
  // Why the server is not read from.
  enum Pause : unsigned { kClientIsSlow = 1, kNotItsTurn = 2 };

  ServerConnection(Worker& worker, Server& server, const NodeAddress& node);

  void Connect();
  // The server object is about to go; closes the socket.
  void Detach();
  void Flush();
  void SetPaused(Pause reason, bool paused);
  size_t backlog() const { return stream_.backlog(); }
  const Stream& stream() const { return stream_; }

  void OnRead(std::string_view bytes) override;
  void OnReadEnd(std::string_view why, bool lost) override;
  void OnDrained() override;
  void OnClosed() override;

 private:
  void ConnectTo(const struct sockaddr* address);
  void OnConnect(int status);
  void Fail(std::string_view why);

  Worker& worker_;
  Server* server_;  // nullptr: detached
  const NodeAddress node_;
  Stream stream_;
  uv_connect_t connect_{};
  uv_getaddrinfo_t resolve_{};
  struct addrinfo* addresses_ = nullptr;
  unsigned paused_ = 0;
  bool connected_ = false;
  unsigned requests_ = 0;  // libuv requests under way that refer to this object
  bool closed_ = false;
};

}  // namespace meridian
