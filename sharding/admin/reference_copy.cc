#include "sharding/admin/reference_copy.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Prepared transactions of this name are ours; under LockShardWork none that exists is in use.
constexpr char kTransactionPrefix[] = "meridian_reference_";

// Of a table's rows, whatever their order.
struct Digest {
  uint64_t rows = 0;
  std::string sum;
  friend bool operator==(const Digest&, const Digest&) = default;
};

absl::StatusOr<Digest> DigestOf(WorkShard& shard, const TableName& table) {
  auto result = shard.connection().Query(fmt::format(
      "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {} AS t",
      table.ToString()));
  if (!result.ok()) return result.status();
  return Digest{result->Number(0, 0), result->Text(0, 1)};
}

std::string ColumnList(const TableDefinition& definition) {
  std::string list;
  for (const ColumnDefinition& column : definition.columns) {
    if (column.generated) continue;
    list += fmt::format("{}{}", list.empty() ? "" : ", ", QuoteIdentifier(column.name));
  }
  return list;
}

absl::Status CopyRows(WorkShard& from, WorkShard& to, const TableName& table,
                      const std::string& columns) {
  absl::Status begun =
      to.connection().CopyBegin(fmt::format("COPY {} ({}) FROM STDIN", table.ToString(), columns));
  if (!begun.ok()) return begun;
  absl::Status copied = from.connection().CopyOut(
      fmt::format("COPY (SELECT {} FROM {}) TO STDOUT", columns, table.ToString()),
      [&](std::string_view data) { return to.connection().CopyData(data); });
  absl::Status ended = to.connection().CopyEnd(copied);
  return copied.ok() ? ended : copied;
}

// Copies and compares; a trigger or default that made other rows is found here.
absl::Status Fill(WorkShard& from, WorkShard& to, const TableName& table,
                  const std::string& columns, const Digest& expected) {
  if (absl::Status copied = CopyRows(from, to, table, columns); !copied.ok()) return copied;
  auto digest = DigestOf(to, table);
  if (!digest.ok()) return digest.status();
  if (*digest == expected) return absl::OkStatus();
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                   fmt::format("the copy of {} on shard \"{}\" differs from the original",
                               table.ToString(), to.shard.name),
                   "A trigger on the table changes the rows: disable it for the time being.");
}

absl::StatusOr<std::string> NewTransactionName(WorkShard& shard) {
  auto id = shard.connection().Query("SELECT gen_random_uuid()");
  if (!id.ok()) return id.status();
  return QuoteLiteral(kTransactionPrefix + id->Text(0, 0));
}

absl::Status PrepareFailed(const WorkShard& shard, const absl::Status& status) {
  SqlError error = ToSqlError(status);
  error.message =
      fmt::format("cannot prepare the copy on shard \"{}\": {}", shard.shard.name, error.message);
  if (error.sqlstate == sqlstate::kObjectNotInPrerequisiteState) {
    error.hint = "Set max_prepared_transactions on every shard to at least the number of clients.";
  }
  return ToStatus(error);
}

// All or none. After the first COMMIT PREPARED only forward: one that fails stays prepared and is
// told.
absl::Status CommitAll(const std::vector<WorkShard*>& targets) {
  if (targets.size() == 1) return targets[0]->connection().Script("COMMIT").status();
  auto name = NewTransactionName(*targets[0]);
  if (!name.ok()) return name.status();
  for (size_t i = 0; i < targets.size(); ++i) {
    auto prepared = targets[i]->connection().Script("PREPARE TRANSACTION " + *name);
    if (prepared.ok()) continue;
    for (size_t undo = 0; undo < i; ++undo) {
      targets[undo]->connection().Script("ROLLBACK PREPARED " + *name).IgnoreError();
    }
    return PrepareFailed(*targets[i], prepared.status());
  }
  absl::Status failed;
  for (WorkShard* target : targets) {
    auto committed = target->connection().Script("COMMIT PREPARED " + *name);
    if (!committed.ok() && failed.ok()) failed = committed.status();
  }
  return failed;
}

absl::Status DifferentRows(absl::Span<const WorkShard> shards, const std::vector<Digest>& digests,
                           const TableName& table) {
  std::string counts;
  for (size_t i = 0; i < shards.size(); ++i) {
    counts += fmt::format("{}{} on \"{}\"", counts.empty() ? "" : ", ", digests[i].rows,
                          shards[i].shard.name);
  }
  return SqlStatus(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("the rows of {} differ between the shards", table.ToString()),
      "Keep the right rows on one shard and TRUNCATE the table on the others: they are "
      "then copied.",
      fmt::format("Rows: {}.", counts));
}

// The only shard with rows. nullopt: there is not exactly one.
std::optional<size_t> OnlyWithRows(const std::vector<Digest>& digests) {
  std::optional<size_t> found;
  for (size_t i = 0; i < digests.size(); ++i) {
    if (digests[i].rows == 0) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

}  // namespace

absl::Status SweepUnfinishedCopies(absl::Span<WorkShard> shards) {
  for (WorkShard& shard : shards) {
    auto left = shard.connection().Query(
        "SELECT gid FROM pg_prepared_xacts WHERE starts_with(gid, $1) "
        "AND database = current_database()",
        {{kTransactionPrefix}});
    if (!left.ok()) return left.status();
    for (size_t r = 0; r < left->rows(); ++r) {
      auto gone = shard.connection().Script("ROLLBACK PREPARED " + QuoteLiteral(left->Text(r, 0)));
      if (!gone.ok()) return gone.status();
    }
  }
  return absl::OkStatus();
}

absl::Status EnsureSameRows(absl::Span<WorkShard> shards, const TableName& table,
                            const TableDefinition& definition,
                            const std::optional<size_t>& source) {
  std::vector<Digest> digests;
  for (WorkShard& shard : shards) {
    if (absl::Status locked = LockForCheck(shard, table); !locked.ok()) return locked;
    auto digest = DigestOf(shard, table);
    if (!digest.ok()) return digest.status();
    digests.push_back(*std::move(digest));
  }
  if (std::all_of(digests.begin(), digests.end(),
                  [&](const Digest& digest) { return digest == digests[0]; })) {
    return absl::OkStatus();
  }
  const auto from = OnlyWithRows(digests);
  if (!from || (source && *source != *from)) return DifferentRows(shards, digests, table);
  std::vector<WorkShard*> targets;
  for (size_t i = 0; i < shards.size(); ++i) {
    if (i == *from) continue;
    absl::Status filled =
        Fill(shards[*from], shards[i], table, ColumnList(definition), digests[*from]);
    if (!filled.ok()) return filled;
    targets.push_back(&shards[i]);
  }
  return CommitAll(targets);
}

}  // namespace meridian
