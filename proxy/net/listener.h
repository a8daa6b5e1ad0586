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
  // `accept` gets each new connected socket, which it owns. `out_of_files`: the process has no file
  // left for it; it must be refused and closed within the call.
  using Accept = std::function<void(int fd, bool is_unix, bool out_of_files)>;

  // The address is taken at once, but clients are let in only by Start: until then they are told
  // that nobody listens. "*" is all addresses. An error names the address and the reason.
  static absl::StatusOr<std::vector<std::unique_ptr<Listener>>> OpenTcp(uv_loop_t* loop,
                                                                        const std::string& host,
                                                                        int port,
                                                                        const Accept& accept);
  // The socket is `directory`/.s.PGSQL.`port`, as libpq expects; a dead one in its place is
  // replaced.
  static absl::StatusOr<std::unique_ptr<Listener>> OpenUnix(uv_loop_t* loop,
                                                            const std::string& directory, int port,
                                                            const Accept& accept);
  absl::Status Start();
  ~Listener();
  void Close();

 private:
  Listener(uv_loop_t* loop, int fd, std::string name, bool is_unix, Accept accept);
  void OnReadable();

  uv_poll_t* poll_;  // deletes itself when closed
  int fd_;
  int reserve_fd_;
  const std::string name_;  // of a unix socket: its path
  const bool is_unix_;
  Accept accept_;
};

}  // namespace meridian
