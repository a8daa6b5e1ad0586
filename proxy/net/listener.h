// A socket that accepts clients, on the main thread's loop.
#pragma once

#include <absl/status/statusor.h>
#include <uv.h>

#include <functional>
#include <memory>
#include <string>

namespace meridian {

class Listener {
 public:
  // `accept` gets each new connected socket, which it owns.
  using Accept = std::function<void(int fd, bool is_unix)>;

  // "*" listens on all addresses. An error names the address and the reason.
  static absl::StatusOr<std::vector<std::unique_ptr<Listener>>> OpenTcp(uv_loop_t* loop,
                                                                        const std::string& host,
                                                                        int port,
                                                                        const Accept& accept);
  // The socket is `directory`/.s.PGSQL.`port`, as libpq expects; a dead one in its place is
  // replaced.
  static absl::StatusOr<std::unique_ptr<Listener>> OpenUnix(uv_loop_t* loop,
                                                            const std::string& directory, int port,
                                                            const Accept& accept);
  ~Listener();
  void Close();

 private:
  Listener(uv_loop_t* loop, int fd, std::string path, Accept accept);
  void OnReadable();

  uv_poll_t* poll_;  // deletes itself when closed
  int fd_;
  std::string path_;  // of a unix socket
  Accept accept_;
};

}  // namespace meridian
