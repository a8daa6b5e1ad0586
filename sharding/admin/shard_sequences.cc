#include "sharding/admin/shard_sequences.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "sharding/quote.h"
#include "sharding/sequence_window.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Of identity columns, and of those whose default refers to a sequence.
constexpr char kColumnsSql[] = R"(
SELECT a.attname, a.atttypid = 'pg_catalog.int8'::pg_catalog.regtype, n.nspname, s.relname
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
JOIN pg_catalog.pg_class s ON s.relkind = 'S' AND s.oid IN (
  SELECT d.objid FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid
    AND d.refclassid = d.classid AND d.refobjsubid = a.attnum AND d.deptype = 'i'
  UNION ALL
  SELECT d.refobjid FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
WHERE a.attrelid = $1::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum)";

struct DrawingColumn {
  std::string name;
  bool is_bigint = false;
  TableName sequence;
  friend bool operator==(const DrawingColumn&, const DrawingColumn&) = default;
};

// A sequence as one shard has it.
struct Sequence {
  SequenceWindow window;
  int64_t next = 0;
  bool ascending = true;
  bool cycles = false;
  bool is_bigint = true;
};

int64_t NumberAt(const PgResult& result, size_t column) {
  int64_t number = 0;
  const std::string text = result.Text(0, column);
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

absl::StatusOr<std::vector<DrawingColumn>> ReadColumns(WorkShard& shard, const TableName& table) {
  auto rows = shard.connection().Query(kColumnsSql, {{table.ToString()}});
  if (!rows.ok()) return rows.status();
  std::vector<DrawingColumn> columns;
  for (size_t r = 0; r < rows->rows(); ++r) {
    columns.push_back(
        {rows->Text(r, 0), rows->Text(r, 1) == "t", {rows->Text(r, 2), rows->Text(r, 3)}});
  }
  return columns;
}

// nullopt: the shard does not have it.
absl::StatusOr<std::optional<Sequence>> ReadSequence(WorkShard& shard, const TableName& name) {
  auto defined = shard.connection().Query(
      "SELECT seqmin, seqmax, seqincrement > 0, seqcycle, seqtypid = 'int8'::pg_catalog.regtype"
      " FROM pg_catalog.pg_sequence WHERE seqrelid = pg_catalog.to_regclass($1)",
      {{name.ToString()}});
  if (!defined.ok()) return defined.status();
  if (defined->rows() == 0) return std::nullopt;
  auto state = shard.connection().Query(
      fmt::format("SELECT last_value, is_called FROM {}", name.ToString()));
  if (!state.ok()) return state.status();
  return Sequence{{NumberAt(*defined, 0), NumberAt(*defined, 1)},
                  NumberAt(*state, 0) + (state->Text(0, 1) == "t" ? 1 : 0),
                  defined->Text(0, 2) == "t",
                  defined->Text(0, 3) == "t",
                  defined->Text(0, 4) == "t"};
}

// By which the planner knows that all shards have their windows (proxy/control/schema_queries.cc).
bool IsDivided(const Sequence& at_default) { return at_default.window.max == WindowOf(0).max; }

absl::Status Unite(WorkShard& default_shard, const TableName& name) {
  return default_shard.connection()
      .Script(fmt::format("ALTER SEQUENCE {} NO MAXVALUE", name.ToString()))
      .status();
}

// Below MAXVALUE all stays as it is. ALTER keeps others from drawing until what they have drawn is
// read.
absl::Status DivideAtDefault(WorkShard& shard, const TableName& name, const Sequence& now,
                             int64_t next) {
  const int64_t max = WindowOf(0).max;
  if (IsDivided(now) && now.is_bigint && now.next >= next) return absl::OkStatus();
  return InTransaction(shard.connection(), "BEGIN", [&] {
    return shard.connection()
        .Script(fmt::format("ALTER SEQUENCE {0} AS bigint MAXVALUE {1};"
                            " SELECT pg_catalog.setval({2}, {3}, false) FROM {0}"
                            " WHERE last_value + is_called::int < {3}",
                            name.ToString(), max, QuoteLiteral(name.ToString()), next))
        .status();
  });
}

absl::Status DivideAtOther(WorkShard& shard, const TableName& name, const Sequence& now) {
  const SequenceWindow window = WindowOf(shard.shard.number);
  if (now.window.min == window.min && now.window.max == window.max) return absl::OkStatus();
  return shard.connection()
      .Script(fmt::format("ALTER SEQUENCE {} AS bigint MINVALUE {} MAXVALUE {} START WITH {}"
                          " RESTART WITH {}",
                          name.ToString(), window.min, window.max, window.min,
                          window.Contains(now.next) ? now.next : window.min))
      .status();
}

// Why the sequence cannot be divided; empty: it can.
std::string Obstacle(const DrawingColumn& column, const std::vector<Sequence>& sequences) {
  if (!column.is_bigint) return "the column is not of type bigint";
  const bool odd = std::any_of(sequences.begin(), sequences.end(),
                               [](const Sequence& s) { return !s.ascending || s.cycles; });
  if (odd) return "it descends or cycles";
  return {};
}

AdminNotice Undivided(const TableName& table, const DrawingColumn& column,
                      const std::string& obstacle) {
  return {
      .message = fmt::format("column \"{}\" of {} draws from sequence {}, which cannot be "
                             "divided between the shards: {}",
                             column.name, table.ToString(), column.sequence.ToString(), obstacle),
      .detail = "INSERT has to give the value: each shard by itself would draw the same.",
      .hint = fmt::format("SELECT nextval('{}') draws one for all shards.",
                          column.sequence.ToString())};
}

}  // namespace

absl::StatusOr<std::vector<AdminNotice>> DivideSequences(absl::Span<WorkShard> shards,
                                                         const TableName& table) {
  std::vector<AdminNotice> notices;
  const auto columns = ReadColumns(shards.front(), table);
  if (!columns.ok()) return columns.status();
  for (const DrawingColumn& column : *columns) {
    std::vector<Sequence> sequences;
    std::string obstacle;
    // Behind all that is drawn from the default shard's window.
    int64_t next = std::numeric_limits<int64_t>::min();
    for (WorkShard& shard : shards) {
      const auto there = ReadColumns(shard, table);
      if (!there.ok()) return there.status();
      const auto sequence = ReadSequence(shard, column.sequence);
      if (!sequence.ok()) return sequence.status();
      if (!*sequence || std::count(there->begin(), there->end(), column) == 0) {
        obstacle = fmt::format("shard \"{}\" draws otherwise", shard.shard.name);
      }
      sequences.push_back(sequence->value_or(Sequence{}));
      if (WindowOf(0).Contains(sequences.back().next)) {
        next = std::max(next, sequences.back().next);
      }
    }
    if (obstacle.empty()) obstacle = Obstacle(column, sequences);
    if (obstacle.empty() && sequences[0].next > WindowOf(0).max) {
      obstacle = "it has drawn values above 2^48";
    }
    if (!obstacle.empty()) {
      notices.push_back(Undivided(table, column, obstacle));
      if (!column.is_bigint || !IsDivided(sequences[0])) continue;
      if (absl::Status united = Unite(shards.front(), column.sequence); !united.ok()) return united;
      continue;
    }
    for (size_t i = 0; i < shards.size(); ++i) {
      const absl::Status divided =
          shards[i].index == ShardMap::kDefaultShard
              ? DivideAtDefault(shards[i], column.sequence, sequences[i], next)
              : DivideAtOther(shards[i], column.sequence, sequences[i]);
      if (!divided.ok()) return divided;
    }
  }
  return notices;
}

absl::Status DivideSequencesAt(WorkShard& default_shard, WorkShard& shard, const TableName& table) {
  const auto columns = ReadColumns(default_shard, table);
  if (!columns.ok()) return columns.status();
  const auto there = ReadColumns(shard, table);
  if (!there.ok()) return there.status();
  for (const DrawingColumn& column : *columns) {
    const auto divided = ReadSequence(default_shard, column.sequence);
    if (!divided.ok()) return divided.status();
    if (!column.is_bigint || !*divided || !IsDivided(**divided)) continue;
    const auto own = ReadSequence(shard, column.sequence);
    if (!own.ok()) return own.status();
    if (!*own || std::count(there->begin(), there->end(), column) == 0 ||
        !Obstacle(column, {**own}).empty()) {
      return SqlStatus(
          "42P17",
          fmt::format("column \"{}\" of {} does not draw from sequence {} on shard "
                      "\"{}\" as it does on the others",
                      column.name, table.ToString(), column.sequence.ToString(), shard.shard.name),
          "Make the definitions equal, or drop the table there: it is then created "
          "anew.");
    }
    absl::Status done = DivideAtOther(shard, column.sequence, **own);
    if (!done.ok()) return done;
  }
  return absl::OkStatus();
}

}  // namespace meridian
