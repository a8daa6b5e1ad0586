// The changes of one logical replication slot, read from its server as pgoutput sends them
// (PostgreSQL documentation, "Streaming Replication Protocol").
//
// Blocking; one thread. Errors carry the server's SQLSTATE, 08006 when the connection is lost:
// then a new stream goes on at the last confirmed position, and the server sends again what was not
// confirmed.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <string>
#include <string_view>

#include "sharding/catalog/pg_connection.h"
#include "sharding/lsn.h"

namespace meridian {

class ChangeStream {
 public:
  // A walsender connection, whose values are written so that any server reads the same of them.
  static absl::StatusOr<ChangeStream> Connect(PgTarget source);

  struct Slot {
    Lsn start = 0;         // what commits behind it is in the stream
    std::string snapshot;  // shows what committed before; exported until the stream's next command
  };
  // Makes the slot. Waits for all transactions that are running on the server, prepared ones as
  // well, within the target's statement timeout.
  absl::StatusOr<Slot> CreateSlot(const std::string& slot);
  // No error if there is none.
  static absl::Status DropSlot(PgConnection& connection, const std::string& slot);

  // Begins to send what is behind `from`, or behind what the slot has confirmed if that is further.
  absl::Status Start(const std::string& slot, const std::string& publication, Lsn from);
  // The next message of pgoutput, if one comes within the timeout. Answers the server's questions
  // whether this side lives: call it at least every few seconds.
  absl::StatusOr<bool> Next(std::chrono::milliseconds timeout,
                            absl::FunctionRef<absl::Status(std::string_view)> take);
  // All before it is durable elsewhere: the server needs it no more.
  absl::Status Confirm(Lsn position);
  // Only tells the server that this side lives, for one that takes its time.
  absl::Status KeepAlive() { return SendStatus(); }

  // How far the server's log went when it sent its last message.
  Lsn server_end() const { return server_end_; }

 private:
  explicit ChangeStream(PgConnection connection) : connection_(std::move(connection)) {}
  absl::Status SendStatus();
  absl::Status OnCopyData(std::string_view data,
                          absl::FunctionRef<absl::Status(std::string_view)> take, bool* taken);

  PgConnection connection_;
  Lsn server_end_ = 0;
  Lsn confirmed_ = 0;
  std::chrono::steady_clock::time_point status_sent_{};
};

}  // namespace meridian
