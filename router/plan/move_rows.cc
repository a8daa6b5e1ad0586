#include "router/plan/move_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sharding/quote.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

absl::Status RefuseMove(const std::string& why) {
  return Refused("this UPDATE moves rows to another shard, and " + why,
                 "Delete the rows and insert them anew, in one transaction.");
}

std::string WhyRowsStay(const Query& query, const Planning& planning, const RouteProgram& program) {
  const TableReference& target = query.references[*query.target];
  if (query.references.size() != 1) return "joins other tables";
  if (query.current_of) return "has WHERE CURRENT OF";
  if (query.has_with) return "has WITH";
  if (query.has_system_column) return "uses a system column";
  if (program.needs_default_shard) return "needs the default shard";
  if (!program.unknown_function.empty()) {
    return fmt::format("calls {}(), which may do anything", program.unknown_function);
  }
  if (target.relation == nullptr || target.relation->kind != Relation::Kind::kTable) {
    return "its table is not known";
  }
  if (target.mapped->name != target.table) return "its table is a partition";
  if (!target.relation->keeps_rows.empty()) return "its table " + target.relation->keeps_rows;
  if (planning.context.encoding != ClientEncoding::kUtf8) return "client_encoding is not UTF8";
  return {};
}

// The columns that have values of their own.
std::vector<std::string> StoredColumns(const Relation& relation) {
  std::vector<std::string> columns;
  for (const Column& column : relation.columns) {
    if (!column.generated) columns.push_back(QuoteIdentifier(column.name));
  }
  return columns;
}

// No row on this shard has the new key but those that the statement has given it: the key belongs
// elsewhere. Where the table has changed since the schema was read, nothing is found, which shows
// in the count; the triggers of a fence (rebalance/fence.h) leave rows as they are. A snapshot from
// before the statement would not show the change, so there nothing is found either.
std::string TakeSql(const std::string& table, const std::vector<std::string>& columns,
                    const std::vector<std::string>& key_columns) {
  std::string where;
  for (size_t i = 0; i < key_columns.size(); ++i) {
    where +=
        fmt::format("{} OPERATOR(pg_catalog.=) ${} AND ", QuoteIdentifier(key_columns[i]), i + 1);
  }
  return fmt::format(
      "DELETE FROM ONLY {0} WHERE {1}pg_catalog.current_setting('transaction_isolation') "
      "OPERATOR(pg_catalog.~~) 'read %' AND (SELECT NOT (c.relhasrules OR "
      "c.relrowsecurity OR c.relhassubclass OR c.relispartition) AND {2} OPERATOR(pg_catalog.=) "
      "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid "
      "OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped "
      "AND a.attgenerated OPERATOR(pg_catalog.=) '') AND NOT EXISTS (SELECT FROM "
      "pg_catalog.pg_trigger "
      "g JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) g.tgfoid JOIN "
      "pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) p.pronamespace WHERE g.tgrelid "
      "OPERATOR(pg_catalog.=) c.oid AND s.nspname OPERATOR(pg_catalog.<>) 'meridian') FROM "
      "pg_catalog.pg_class c WHERE c.oid "
      "OPERATOR(pg_catalog.=) {3}::pg_catalog.regclass) RETURNING {4}",
      table, where, columns.size(), QuoteLiteral(table), fmt::join(columns, ", "));
}

// The value of an identity column stays what it is.
std::string PutSql(const std::string& table, const std::vector<std::string>& columns) {
  std::string values;
  for (size_t i = 1; i <= columns.size(); ++i)
    values += fmt::format("{}${}", i == 1 ? "" : ", ", i);
  return fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})", table,
                     fmt::join(columns, ", "), values);
}

// Rows must not be given a key of which their shard may have stray rows: those could not be told
// from each other. `point`: the key in the distribution's space.
absl::Status CheckStrays(const ShardMap& map, size_t distribution, const ShardSet& from,
                         const KeyTuple& point) {
  for (const StrayRows& strays : map.strays()) {
    if (strays.distribution != distribution || !from.Contains(strays.shard)) continue;
    if (Compare(point, strays.lower.values) < 0) continue;
    if (strays.upper.has_value() && Compare(point, strays.upper->values) >= 0) continue;
    return SqlStatus(
        sqlstate::kObjectInUse,
        fmt::format("this UPDATE gives rows on shard \"{}\" a key of rows that are being moved "
                    "between shards, from there or to there",
                    map.shard(strays.shard).name),
        "Run it again when the move has ended, or delete the rows and insert them anew, in one "
        "transaction.");
  }
  return absl::OkStatus();
}

}  // namespace

void PlanMove(const Query& query, const std::string& why_not_sum, const Planning& planning,
              RouteProgram* program) {
  std::string why = why_not_sum.empty() ? WhyRowsStay(query, planning, *program) : why_not_sum;
  std::vector<Operand> key;
  if (why.empty()) {
    // What every row's key is after the statement: its own values, and for columns that it does not
    // set what the conditions say.
    key = PointOf(program->references.back().keys,
                  query.references[*query.target].mapped->key_columns.size());
    if (key.empty()) why = "does not say what each column of their distribution key will be";
  }
  if (!why.empty()) {
    program->several_refusal = RefuseMove(why);
    return;
  }
  const TableReference& target = query.references[*query.target];
  const std::string table =
      QuoteIdentifier(target.table.schema) + "." + QuoteIdentifier(target.table.name);
  const std::vector<std::string> columns = StoredColumns(*target.relation);
  program->move = {std::move(key), TakeSql(table, columns, target.mapped->key_columns),
                   PutSql(table, columns)};
}

absl::StatusOr<KeyMove> RunKeyMove(const RouteProgram& program, const ShardMap& map,
                                   const Values& values) {
  const ShardedReference& before = program.references[0];
  const ShardedReference& after = program.references[1];
  const Distribution& distribution = map.distributions()[after.distribution];
  KeyMove move{.from = {},
               .to = {},
               .take_sql = program.move->take_sql,
               .key = {},
               .put_sql = program.move->put_sql};
  KeyTuple point;
  for (size_t i = 0; i < program.move->key.size(); ++i) {
    const KeyType type = distribution.columns()[i].type;
    const OperandValue value =
        ReadOperand(program.move->key[i], type, values, program.standard_conforming_strings);
    if (value.kind != OperandValue::Kind::kValue) {
      return RefuseMove("only the server can tell what their distribution key will be");
    }
    move.key.push_back(FormatKey(type, value.value));
    point.push_back(distribution.ToSpace(i, value.value));
  }
  const auto owners = [&](const ShardedReference& reference) {
    return Owners(reference.keys, distribution, values, program.standard_conforming_strings);
  };
  const std::optional<ShardSet> from = owners(before);
  const std::optional<ShardSet> to = owners(after);
  if (!from.has_value() || !to.has_value() || !to->has_one()) {
    return absl::InternalError("an UPDATE that moves rows to several shards");
  }
  absl::Status apart = CheckStrays(map, after.distribution, *from, point);
  if (!apart.ok()) return apart;
  move.from = *from;
  move.to = to->first();
  return move;
}

}  // namespace meridian
