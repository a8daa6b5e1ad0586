#include "router/plan/move_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/quote.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

bool IsWholeKey(const std::vector<AssignedKey>& assigned, const MappedTable& table) {
  return assigned.size() == table.key_columns.size() &&
         std::all_of(table.key_columns.begin(), table.key_columns.end(), [&](const auto& column) {
           return std::any_of(assigned.begin(), assigned.end(),
                              [&](const AssignedKey& key) { return key.column == column; });
         });
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
  if (!IsWholeKey(program.assigned, *target.mapped)) {
    return "does not set each column of the distribution key";
  }
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
// in the count. A snapshot from before the statement would not show the change, so there nothing is
// found either.
std::string TakeSql(const std::string& table, const std::vector<std::string>& columns,
                    const std::vector<AssignedKey>& key) {
  std::string where;
  for (size_t i = 0; i < key.size(); ++i) {
    where +=
        fmt::format("{} OPERATOR(pg_catalog.=) ${} AND ", QuoteIdentifier(key[i].column), i + 1);
  }
  return fmt::format(
      "DELETE FROM ONLY {0} WHERE {1}pg_catalog.current_setting('transaction_isolation') "
      "OPERATOR(pg_catalog.~~) 'read %' AND (SELECT NOT (c.relhastriggers OR c.relhasrules OR "
      "c.relrowsecurity OR c.relhassubclass OR c.relispartition) AND {2} OPERATOR(pg_catalog.=) "
      "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid "
      "OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped "
      "AND a.attgenerated OPERATOR(pg_catalog.=) '') FROM pg_catalog.pg_class c WHERE c.oid "
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

}  // namespace

void PlanMove(const Query& query, const std::string& why_not_sum, const Planning& planning,
              RouteProgram* program) {
  const std::string why =
      why_not_sum.empty() ? WhyRowsStay(query, planning, *program) : why_not_sum;
  if (!why.empty()) {
    program->several_refusal = Refused("this UPDATE moves rows to another shard, and " + why,
                                       "Delete the rows and insert them anew, in one transaction.");
    return;
  }
  const TableReference& target = query.references[*query.target];
  const std::string table =
      QuoteIdentifier(target.table.schema) + "." + QuoteIdentifier(target.table.name);
  const std::vector<std::string> columns = StoredColumns(*target.relation);
  program->move = {TakeSql(table, columns, program->assigned), PutSql(table, columns)};
}

absl::StatusOr<KeyMove> RunKeyMove(const RouteProgram& program, const ShardMap& map,
                                   const Values& values) {
  const ShardedReference& before = program.references[0];
  const ShardedReference& after = program.references[1];
  const auto owners = [&](const ShardedReference& reference) {
    return Owners(reference.keys, map.distributions()[reference.distribution], values,
                  program.standard_conforming_strings);
  };
  const std::optional<ShardSet> from = owners(before);
  const std::optional<ShardSet> to = owners(after);
  if (!from.has_value() || !to.has_value() || !to->has_one()) {
    return absl::InternalError("an UPDATE that moves rows to several shards");
  }
  KeyMove move{.from = *from,
               .to = to->first(),
               .take_sql = program.move->take_sql,
               .key = {},
               .put_sql = program.move->put_sql};
  for (const AssignedKey& key : program.assigned) {
    const OperandValue value =
        ReadOperand(key.operand, key.type, values, program.standard_conforming_strings);
    if (value.kind != OperandValue::Kind::kValue) {
      return absl::InternalError("a key that is not known");
    }
    move.key.push_back(FormatKey(key.type, value.value));
  }
  return move;
}

}  // namespace meridian
