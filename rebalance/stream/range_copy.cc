#include "rebalance/stream/range_copy.h"

#include <fmt/format.h>

#include <vector>

#include "sharding/catalog/plain_text.h"
#include "sharding/quote.h"

namespace meridian {
namespace {

// Rows come one by one; sent so they would cost a system call each. What comes at once keeps a
// processor of the target from clients.
constexpr size_t kPieceBytes = 16 * 1024;

std::string ColumnList(const MovedTable& table) {
  std::vector<std::string> names;
  for (const std::string& column : table.columns) names.push_back(QuoteIdentifier(column));
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

absl::StatusOr<PgConnection> OpenSnapshot(const PgTarget& source, const std::string& snapshot) {
  auto connection = PgConnection::Connect(source);
  if (!connection.ok()) return connection;
  auto begun = connection->Script(
      fmt::format("{}; SET row_security = off; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                  " SET TRANSACTION SNAPSHOT {}",
                  PlainTextScript(), QuoteLiteral(snapshot)));
  if (!begun.ok()) return begun.status();
  return connection;
}

absl::StatusOr<PgConnection> OpenForRows(const PgTarget& target) {
  auto connection = PgConnection::Connect(target);
  if (!connection.ok()) return connection;
  auto prepared = connection->Script(
      fmt::format("{}; SET row_security = off; SET session_replication_role = replica; {}",
                  PlainTextScript(), kDurableCommits));
  if (!prepared.ok()) return prepared.status();
  return connection;
}

absl::StatusOr<uint64_t> CopyRange(PgConnection& source, PgConnection& target,
                                   const MovedTable& table,
                                   absl::FunctionRef<absl::Status(size_t bytes)> on_bytes) {
  const std::string columns = ColumnList(table);
  absl::Status begun =
      target.CopyBegin(fmt::format("COPY {} ({}) FROM STDIN", table.name.ToString(), columns));
  if (!begun.ok()) return begun;
  uint64_t bytes = 0;
  std::string piece;
  const auto send = [&]() -> absl::Status {
    if (piece.empty()) return absl::OkStatus();
    bytes += piece.size();
    if (absl::Status allowed = on_bytes(piece.size()); !allowed.ok()) return allowed;
    absl::Status sent = target.CopyData(piece);
    piece.clear();
    return sent;
  };
  absl::Status copied =
      source.CopyOut(fmt::format("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT", columns,
                                 table.name.ToString(), table.condition),
                     [&](std::string_view row) {
                       piece.append(row);
                       return piece.size() < kPieceBytes ? absl::OkStatus() : send();
                     });
  if (copied.ok()) copied = send();
  absl::Status ended = target.CopyEnd(copied);
  if (!copied.ok()) return copied;
  if (!ended.ok()) return ended;
  return bytes;
}

}  // namespace meridian
