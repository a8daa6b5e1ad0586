// Applies a stream of changes (pgoutput) to the shard that is to have the rows, so that what is
// applied and how far the stream has been read are one commit: the transactions carry a replication
// origin, whose progress the server keeps (PostgreSQL documentation, "Replication Progress
// Tracking"). A crash neither skips nor repeats a change.
//
// Blocking; one thread. An error ends the transaction that was being applied without effect; a new
// applier goes on at applied().
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rebalance/stream/moved_table.h"
#include "rebalance/stream/pgoutput.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

// A large value of a row came into the range by an UPDATE that left it as it was, so it is not in
// the stream, and the source's row has it no more: the slice has to start over.
inline constexpr std::string_view kValueNotSent = "M0001";

// Asks the source for such values: of these columns of the row that has this identity
// (MovedTable::identity), in their order. nullopt: the row is gone, or has another identity now.
// They may be newer than the stream, which then has what made them so.
using FetchValues = std::function<absl::StatusOr<std::optional<std::vector<PgParameter>>>(
    const MovedTable& table, const std::vector<std::string>& columns,
    absl::Span<const PgParameter> identity)>;

class ChangeApplier {
 public:
  // Connects to the target as a replica does: no triggers, no checks of foreign keys. Makes the
  // origin where it is missing. `tables` must outlive the applier.
  static absl::StatusOr<ChangeApplier> Connect(const PgTarget& target, const std::string& origin,
                                               absl::Span<const MovedTable> tables);
  // No error if there is none. Nobody may be using it.
  static absl::Status DropOrigin(PgConnection& connection, const std::string& origin);

  // Without it every such value ends the stream.
  void set_fetch(FetchValues fetch) { fetch_ = std::move(fetch); }

  // Takes the next event of the stream. Small transactions are applied together, in one
  // transaction, so what it says is durable only when Flush, or applied(), says so.
  absl::Status Apply(const pgoutput::Event& event);
  // Commits what has been taken; inside a transaction of the stream it does nothing.
  absl::Status Flush();

  // All of the stream before it is durable.
  Lsn applied() const { return applied_; }
  // Between Begin and Commit of the stream.
  bool in_transaction() const { return in_transaction_; }
  // How long the target may take for a batch.
  void set_statement_timeout(std::chrono::milliseconds timeout) {
    connection_.set_statement_timeout(timeout);
  }
  uint64_t changes() const { return changes_; }

 private:
  // A relation as the stream last described it.
  struct Followed {
    const MovedTable* table = nullptr;
    std::vector<std::string> columns;
    std::vector<std::string> types;
    std::vector<bool> identity;  // by column
    std::vector<bool> settable;
    std::vector<bool> key;
  };

  ChangeApplier(PgConnection connection, absl::Span<const MovedTable> tables)
      : connection_(std::move(connection)), tables_(tables) {}

  absl::Status OnRelation(const pgoutput::Relation& relation);
  absl::Status OnInsert(const pgoutput::Insert& insert);
  // Fills the values of the row that are not in the stream.
  absl::Status Fetch(const Followed& followed, const pgoutput::Tuple& row,
                     std::vector<PgParameter>& values) const;
  absl::Status OnUpdate(const pgoutput::Update& update);
  absl::Status OnDelete(const pgoutput::Delete& deleted);
  absl::Status OnCommit(const pgoutput::Commit& commit);
  absl::StatusOr<const Followed*> Find(uint32_t relation, size_t columns) const;
  // The condition for the row of which the stream has this; adds its values.
  static absl::StatusOr<std::string> RowSql(const Followed& followed, const pgoutput::Tuple& row,
                                            std::vector<PgParameter>& values);
  absl::Status BeginBatch();
  // Sends the statement, which must touch one row.
  absl::Status Send(const std::string& sql, absl::Span<const PgParameter> parameters);
  absl::Status EndBatch();
  absl::Status Wait();

  PgConnection connection_;
  absl::Span<const MovedTable> tables_;
  FetchValues fetch_;
  absl::flat_hash_map<uint32_t, Followed> relations_;
  std::map<std::string, std::string> prepared_;  // SQL -> name
  Lsn applied_ = 0;
  Lsn read_ = 0;  // the end of the last transaction that was taken
  int64_t commit_time_us_ = 0;
  uint64_t changes_ = 0;
  size_t batch_ = 0;               // changes sent since the last BEGIN
  std::vector<bool> touches_one_;  // whose answers were not read: whether they must say one row
  bool piped_ = false;
  bool open_ = false;            // between BEGIN and COMMIT at the target
  bool in_transaction_ = false;  // of the stream
};

}  // namespace meridian
