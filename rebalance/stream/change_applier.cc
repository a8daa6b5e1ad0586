#include "rebalance/stream/change_applier.h"

#include <fmt/format.h>

#include <algorithm>

#include "rebalance/stream/range_copy.h"
#include "sharding/catalog/plain_text.h"
#include "sharding/quote.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using pgoutput::Tuple;
using pgoutput::Value;

// What is applied in one transaction, unless one of the stream is larger, and what is sent before
// its answers are read.
constexpr size_t kBatchChanges = 1000;
constexpr size_t kPipelineStatements = 1000;
constexpr size_t kPreparedMax = 500;

PgParameter ParameterOf(const Value& value) {
  return value.kind == Value::Kind::kNull ? std::nullopt : PgParameter(value.text);
}

absl::Status NotAsExpected(std::string message) {
  return SqlStatus(sqlstate::kProtocolViolation, std::move(message));
}

// pgoutput counts from 2000-01-01.
std::string TimestampSql() {
  return "'2000-01-01 00:00:00+00'::timestamptz + $2::float8 * '1 microsecond'::interval";
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

absl::StatusOr<ChangeApplier> ChangeApplier::Connect(const PgTarget& target,
                                                     const std::string& origin,
                                                     absl::Span<const MovedTable> tables) {
  auto connected = PgConnection::Connect(target);
  if (!connected.ok()) return connected.status();
  ChangeApplier applier(*std::move(connected), tables);
  PgConnection& connection = applier.connection_;
  auto prepared = connection.Script(fmt::format("{}; SET session_replication_role = replica; {}",
                                                PlainTextScript(), kDurableCommits));
  if (!prepared.ok()) return prepared.status();
  auto made = connection.Query(
      "SELECT pg_replication_origin_create($1) WHERE pg_replication_origin_oid($1) IS NULL",
      {{origin}});
  if (!made.ok()) return made.status();
  auto progress = connection.Query(
      "SELECT pg_replication_origin_session_setup($1), pg_replication_origin_progress($1, true)",
      {{origin}});
  if (!progress.ok()) return progress.status();
  applier.applied_ = ParseLsn(progress->Text(0, 1)).value_or(0);
  return applier;
}

absl::Status ChangeApplier::DropOrigin(PgConnection& connection, const std::string& origin) {
  return connection
      .Query(
          "SELECT pg_replication_origin_drop($1) WHERE pg_replication_origin_oid($1) IS NOT NULL",
          {{origin}})
      .status();
}

absl::Status ChangeApplier::Apply(const pgoutput::Event& event) {
  if (const auto* commit = std::get_if<pgoutput::Commit>(&event)) return OnCommit(*commit);
  if (std::holds_alternative<pgoutput::Begin>(event)) {
    in_transaction_ = true;
    return absl::OkStatus();
  }
  if (const auto* relation = std::get_if<pgoutput::Relation>(&event)) return OnRelation(*relation);
  if (const auto* insert = std::get_if<pgoutput::Insert>(&event)) return OnInsert(*insert);
  if (const auto* update = std::get_if<pgoutput::Update>(&event)) return OnUpdate(*update);
  if (const auto* deleted = std::get_if<pgoutput::Delete>(&event)) return OnDelete(*deleted);
  if (std::holds_alternative<pgoutput::Truncate>(event)) {
    return NotAsExpected("a TRUNCATE in the stream of changes");
  }
  return absl::OkStatus();  // a Message is the caller's to look at; where changes came from is
                            // none's
}

absl::Status ChangeApplier::OnRelation(const pgoutput::Relation& relation) {
  const auto table = std::find_if(tables_.begin(), tables_.end(), [&](const MovedTable& t) {
    return t.name.schema == relation.schema && t.name.name == relation.name;
  });
  if (table == tables_.end()) {  // a partition: its changes come as those of the root
    relations_.erase(relation.id);
    return absl::OkStatus();
  }
  Followed followed;
  followed.table = &*table;
  for (const pgoutput::Column& column : relation.columns) {
    const std::string name(column.name);
    const auto known = std::find(table->columns.begin(), table->columns.end(), name);
    if (known == table->columns.end()) {
      return NotAsExpected(fmt::format("column {} of table {} is new since the move began", name,
                                       table->name.ToString()));
    }
    followed.columns.push_back(name);
    followed.types.push_back(table->types[static_cast<size_t>(known - table->columns.begin())]);
    followed.key.push_back(Contains(table->keys, name));
    followed.identity.push_back(Contains(table->identity, name));
    followed.settable.push_back(Contains(table->settable, name));
  }
  relations_[relation.id] = std::move(followed);
  return absl::OkStatus();
}

absl::StatusOr<const ChangeApplier::Followed*> ChangeApplier::Find(uint32_t relation,
                                                                   size_t columns) const {
  const auto found = relations_.find(relation);
  if (found == relations_.end() || found->second.columns.size() != columns) {
    return NotAsExpected("a change of a relation that is none of the move's tables");
  }
  return &found->second;
}

absl::Status ChangeApplier::Fetch(const Followed& followed, const Tuple& row,
                                  std::vector<PgParameter>& values) const {
  std::vector<std::string> columns;
  std::vector<size_t> places;
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i].kind != Value::Kind::kUnchanged) continue;
    columns.push_back(followed.columns[i]);
    places.push_back(i);
  }
  if (columns.empty()) return absl::OkStatus();
  std::vector<PgParameter> identity;
  for (const std::string& name : followed.table->identity) {
    const auto column = std::find(followed.columns.begin(), followed.columns.end(), name);
    if (column == followed.columns.end() || Contains(columns, name)) break;
    identity.push_back(values[static_cast<size_t>(column - followed.columns.begin())]);
  }
  const bool can_ask = fetch_ && identity.size() == followed.table->identity.size();
  if (can_ask) {
    auto fetched = fetch_(*followed.table, columns, identity);
    if (!fetched.ok()) return fetched.status();
    if (fetched->has_value()) {
      for (size_t i = 0; i < places.size(); ++i) values[places[i]] = std::move((**fetched)[i]);
      return absl::OkStatus();
    }
  }
  return SqlStatus(kValueNotSent,
                   fmt::format("the stream of changes lacks a value of column {} of table {}",
                               columns[0], followed.table->name.ToString()));
}

absl::Status ChangeApplier::OnInsert(const pgoutput::Insert& insert) {
  const auto found = Find(insert.relation, insert.row.size());
  if (!found.ok()) return found.status();
  std::vector<std::string> names, places;
  std::vector<PgParameter> values;
  for (size_t i = 0; i < insert.row.size(); ++i) {
    names.push_back(QuoteIdentifier((*found)->columns[i]));
    values.push_back(ParameterOf(insert.row[i]));
    places.push_back(fmt::format("${}", values.size()));
  }
  if (absl::Status whole = Fetch(**found, insert.row, values); !whole.ok()) return whole;
  return Send(fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
                          (*found)->table->name.ToString(), fmt::join(names, ", "),
                          fmt::join(places, ", ")),
              values);
}

// By its index, or by all of its columns: as text, which tells apart what = does not (1.0
// and 1.00), and which every type has; the key also by =, for which there may be an index.
absl::StatusOr<std::string> ChangeApplier::RowSql(const Followed& followed, const Tuple& row,
                                                  std::vector<PgParameter>& values) {
  std::vector<std::string> conditions;
  for (size_t i = 0; i < row.size(); ++i) {
    if (!followed.identity[i]) continue;
    if (row[i].kind == Value::Kind::kUnchanged) return NotAsExpected("a change of half a row");
    values.push_back(ParameterOf(row[i]));
    const std::string column = QuoteIdentifier(followed.columns[i]);
    if (!followed.table->by_whole_row) {
      conditions.push_back(fmt::format("{} = ${}", column, values.size()));
      continue;
    }
    const std::string value = fmt::format("${}::{}", values.size(), followed.types[i]);
    if (followed.key[i]) conditions.push_back(fmt::format("{} = {}", column, value));
    conditions.push_back(
        fmt::format("{}::text COLLATE \"C\" IS NOT DISTINCT FROM ({})::text", column, value));
  }
  std::string all = fmt::format("{}", fmt::join(conditions, " AND "));
  if (!followed.table->by_whole_row) return all;
  return fmt::format("(tableoid, ctid) = (SELECT tableoid, ctid FROM {} WHERE {} LIMIT 1)",
                     followed.table->name.ToString(), all);
}

absl::Status ChangeApplier::OnUpdate(const pgoutput::Update& update) {
  const auto found = Find(update.relation, update.row.size());
  if (!found.ok()) return found.status();
  const Tuple& old_row = update.old_row.empty() ? update.row : update.old_row;
  if (old_row.size() != update.row.size()) return Find(update.relation, old_row.size()).status();
  std::vector<std::string> sets;
  std::vector<PgParameter> values;
  for (size_t i = 0; i < update.row.size(); ++i) {
    const bool in_identity = (*found)->identity[i] && update.old_row.empty();  // then unchanged
    if (!(*found)->settable[i] || in_identity || update.row[i].kind == Value::Kind::kUnchanged)
      continue;
    values.push_back(ParameterOf(update.row[i]));
    sets.push_back(fmt::format("{} = ${}", QuoteIdentifier((*found)->columns[i]), values.size()));
  }
  if (sets.empty()) return absl::OkStatus();
  const auto row = RowSql(**found, old_row, values);
  if (!row.ok()) return row.status();
  return Send(fmt::format("UPDATE {} SET {} WHERE {}", (*found)->table->name.ToString(),
                          fmt::join(sets, ", "), *row),
              values);
}

absl::Status ChangeApplier::OnDelete(const pgoutput::Delete& deleted) {
  const auto found = Find(deleted.relation, deleted.old_row.size());
  if (!found.ok()) return found.status();
  std::vector<PgParameter> values;
  const auto row = RowSql(**found, deleted.old_row, values);
  if (!row.ok()) return row.status();
  return Send(fmt::format("DELETE FROM {} WHERE {}", (*found)->table->name.ToString(), *row),
              values);
}

absl::Status ChangeApplier::OnCommit(const pgoutput::Commit& commit) {
  in_transaction_ = false;
  read_ = commit.end_lsn;
  commit_time_us_ = commit.commit_time_us;
  return batch_ >= kBatchChanges ? Flush() : absl::OkStatus();
}

absl::Status ChangeApplier::BeginBatch() {
  if (!piped_) {
    if (absl::Status begun = connection_.PipelineBegin(); !begun.ok()) return begun;
    piped_ = true;
  }
  if (open_) return absl::OkStatus();
  open_ = true;
  touches_one_.push_back(false);
  return connection_.PipelineStatement("BEGIN");
}

absl::Status ChangeApplier::Send(const std::string& sql, absl::Span<const PgParameter> parameters) {
  if (absl::Status begun = BeginBatch(); !begun.ok()) return begun;
  auto prepared = prepared_.find(sql);
  if (prepared == prepared_.end() && prepared_.size() < kPreparedMax) {
    prepared = prepared_.emplace(sql, fmt::format("s{}", prepared_.size())).first;
    touches_one_.push_back(false);
    absl::Status sent = connection_.PipelinePrepare(prepared->second, sql);
    if (!sent.ok()) return sent;
  }
  touches_one_.push_back(true);
  const absl::Status sent = prepared != prepared_.end()
                                ? connection_.PipelineExecute(prepared->second, parameters)
                                : connection_.PipelineStatement(sql, parameters);
  if (!sent.ok()) return sent;
  ++changes_;
  ++batch_;
  return touches_one_.size() >= kPipelineStatements ? Wait() : absl::OkStatus();
}

// Reads the answers to all that was sent.
absl::Status ChangeApplier::Wait() {
  const std::vector<bool> touches_one = std::exchange(touches_one_, {});
  piped_ = false;
  const auto affected = connection_.PipelineEnd();
  if (!affected.ok()) return affected.status();
  for (size_t i = 0; i < touches_one.size(); ++i) {
    if (!touches_one[i] || (i < affected->size() && (*affected)[i] == 1)) continue;
    return SqlStatus(sqlstate::kInternalError,
                     "a row that was changed on the source is not on the target",
                     "The copy of the key range is not whole: the move has to start over.");
  }
  return absl::OkStatus();
}

absl::Status ChangeApplier::Flush() {
  if (in_transaction_ || read_ <= applied_) return absl::OkStatus();
  if (absl::Status begun = BeginBatch(); !begun.ok()) return begun;
  touches_one_.push_back(false);
  absl::Status sent = connection_.PipelineStatement(
      fmt::format("SELECT pg_replication_origin_xact_setup($1::pg_lsn, {})", TimestampSql()),
      {{LsnText(read_), std::to_string(commit_time_us_)}});
  if (!sent.ok()) return sent;
  touches_one_.push_back(false);
  if (sent = connection_.PipelineStatement("COMMIT"); !sent.ok()) return sent;
  open_ = false;
  batch_ = 0;
  if (absl::Status done = Wait(); !done.ok()) return done;
  applied_ = read_;
  return absl::OkStatus();
}

}  // namespace meridian
