// One text for several servers at once, whose answers the client does not see: COMMIT, SAVEPOINT
// and the like in a transaction that spans shards.
#pragma once

#include <absl/container/inlined_vector.h>

#include <optional>
#include <string>
#include <string_view>

#include "proxy/pool/server.h"
#include "proxy/wire/message_stream.h"

namespace meridian {

class Broadcast {
 public:
  // Sends `sql` to the server, as one of the broadcast's.
  void Send(Server& server, std::string_view sql);
  bool Has(const Server& server) const;
  // Takes an event of a server of the broadcast.
  void OnEvent(Server& server, const wire::MessageStream::Event& event);
  // The server is gone before it has answered.
  void OnClosed(const Server& server, const SqlError& reason);

  bool done() const { return outstanding_ == 0; }
  bool empty() const { return branches_.empty(); }
  // Of the first server that failed.
  const std::optional<SqlError>& error() const { return error_; }
  // The command tag of the first server.
  const std::string& tag() const { return tag_; }

 private:
  struct Branch {
    Server* server;
    bool done = false;
  };
  absl::InlinedVector<Branch, 4> branches_;
  size_t outstanding_ = 0;
  std::optional<SqlError> error_;
  std::string tag_;
};

}  // namespace meridian
