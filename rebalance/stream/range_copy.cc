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

absl::Status CopyRange(PgConnection& source, PgConnection& target, const MovedTable& table,
                       OnCopiedRows on_rows) {
  const std::string columns = ColumnList(table);
  absl::Status begun =
      target.CopyBegin(fmt::format("COPY {} ({}) FROM STDIN", table.name.ToString(), columns));
  if (!begun.ok()) return begun;
  std::string piece;
  uint64_t rows = 0;
  const auto send = [&]() -> absl::Status {
    if (piece.empty()) return absl::OkStatus();
    if (absl::Status allowed = on_rows({rows, piece.size()}); !allowed.ok()) return allowed;
    absl::Status sent = target.CopyData(piece);
    piece.clear();
    rows = 0;
    return sent;
  };
  absl::Status copied =
      source.CopyOut(fmt::format("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT", columns,
                                 table.name.ToString(), table.condition),
                     [&](std::string_view row) {
                       piece.append(row);
                       ++rows;
                       return piece.size() < kPieceBytes ? absl::OkStatus() : send();
                     });
  if (copied.ok()) copied = send();
  absl::Status ended = target.CopyEnd(copied);
  return copied.ok() ? ended : copied;
}

}  // namespace meridian
