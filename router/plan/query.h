// What one statement touches: every table reference, condition and function call anywhere in it.
//
// Made by one walk over the whole tree. Nodes that the walk has no rule for are searched too, so a
// table or function can't hide in a place that was not thought of.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "router/parse/views.h"
#include "router/plan/functions.h"
#include "router/plan/planning.h"

namespace meridian {

// A table at one place of the statement.
struct TableReference {
  TableName table;
  const Relation* relation = nullptr;   // nullptr: not in the schema snapshot
  const MappedTable* mapped = nullptr;  // the table, or the partitioned ancestor that the map knows
  std::vector<std::string> columns;     // as the statement names them; empty: not known
  std::vector<std::string> real_columns;  // the same, by their own names
  bool renamed_unknown = false;           // an alias renames columns that are not known
  bool nullable = false;  // on the side of an outer join that may be filled with NULLs
  bool in_view = false;   // read by a view: no condition can name it
  // Where its name stands in the text; -1: it does not.
  int64_t location = -1;
  bool aliased = false;
  bool only = false;  // FROM ONLY t

  bool sharded() const { return mapped != nullptr && mapped->kind == MappedTable::Kind::kSharded; }
  bool everywhere() const {
    return mapped != nullptr && mapped->kind == MappedTable::Kind::kReference;
  }
  // Part of PostgreSQL itself, which each server has.
  bool catalog() const {
    return mapped == nullptr &&
           (table.schema == "pg_catalog" || table.schema == "information_schema");
  }
  bool view() const { return relation != nullptr && relation->kind == Relation::Kind::kView; }
  // A table, sequence or view that one shard holds.
  bool local() const { return mapped == nullptr && !catalog() && !view(); }
};

struct Level;

// A condition that holds for all rows that matter of the references [targets_begin, targets_end).
// It may name other references too: those that came before, and those of outer levels.
struct Condition {
  Node expression;
  const Level* level = nullptr;
  size_t targets_begin = 0;
  size_t targets_end = 0;
};

// A column of a reference.
struct ColumnOf {
  size_t reference = 0;
  std::string column;
  friend bool operator==(const ColumnOf&, const ColumnOf&) = default;
};

// The same for JOIN ... USING: left = right.
struct ColumnEquality {
  ColumnOf left;
  ColumnOf right;
  size_t targets_begin = 0;
  size_t targets_end = 0;
};

// The names that one SELECT (or other statement) sees.
struct Level {
  // A column of a subquery, and the table's column whose conditions it shares (outputs.h).
  struct OutputColumn {
    std::string name;
    std::optional<ColumnOf> source;
  };
  struct Entry {
    std::string alias;                       // or the table's name
    std::string schema = {};                 // of a table without alias
    std::optional<size_t> reference = {};    // nullopt: a subquery, ...
    bool hidden = false;                     // by the alias of a join
    std::vector<OutputColumn> outputs = {};  // of a subquery
    bool outputs_known = false;              // `outputs` are all there are
    // The references inside of a subquery.
    size_t inside_begin = 0;
    size_t inside_end = 0;
  };
  struct MergedColumn {  // of USING: what the bare name means
    std::string name;
    std::optional<ColumnOf> column;
  };
  const Level* parent = nullptr;
  // A subquery in FROM without LATERAL, or in WITH, sees the names around its level, not those
  // beside it.
  bool sees_parent = true;
  // Those of the parent's entries that are to the left of a LATERAL subquery.
  size_t parent_entries = 0;
  // Those of the parent's common_tables that were there before this level.
  size_t parent_common_tables = 0;
  // Something here has names that the planner does not know.
  bool opaque = false;
  // NATURAL JOIN of columns that are not known: bare names may be merged columns.
  bool unqualified_unknown = false;
  std::vector<Entry> entries;
  std::vector<MergedColumn> merged;
  std::vector<std::string> common_tables;
};

// SET column = value.
struct Assignment {
  size_t reference = 0;
  Node column;           // a TargetView
  bool is_plain = true;  // of the statement itself, not of a WITH query or ON CONFLICT
};

struct Query {
  std::vector<TableReference> references;
  std::vector<Condition> conditions;
  std::vector<ColumnEquality> equalities;
  std::vector<std::unique_ptr<Level>> levels;

  // Functions by class; the name of the first one of each, empty: none.
  std::vector<std::pair<FunctionClass, std::string>> functions;
  bool HasFunction(FunctionClass kind) const;
  std::string FirstFunction(FunctionClass kind) const;

  // The first function that is missing (IsMissingFunction).
  std::string missing_function;

  // A function of users that may change something (IsReadByItsWord).
  bool calls_unknown_function = false;
  bool locks_rows = false;
  // A reference table that FOR UPDATE and its kin lock rows of; empty: none.
  std::string locked_reference_table;
  bool modifies = false;      // INSERT, UPDATE, DELETE or MERGE anywhere
  bool current_of = false;    // WHERE CURRENT OF
  bool uses_time = false;     // CURRENT_TIMESTAMP, now(): differs between servers
  bool has_sublink = false;   // a SELECT inside an expression
  bool has_subquery = false;  // a SELECT anywhere but at the top
  bool has_with = false;
  bool has_aggregate_syntax = false;
  bool has_system_column = false;
  bool has_sample = false;
  bool has_other_item = false;        // in FROM, neither table, join nor subquery
  bool has_foreign_operator = false;  // OPERATOR(schema.x) outside of pg_catalog
  // Tables written, by index into references.
  std::vector<size_t> written;
  // Of an INSERT, UPDATE, DELETE or MERGE at the top: what it writes, and for INSERT ... SELECT the
  // names that the SELECT sees.
  std::optional<size_t> target;
  const Level* target_level = nullptr;
  const Level* source_level = nullptr;
  // What UPDATE, MERGE and ON CONFLICT DO UPDATE assign, at any depth.
  std::vector<Assignment> assignments;
  // The order in which rows come may change what is written or returned: LIMIT, array_agg, ...
  std::string order_dependence;
};

// Counts in uses[n - 1] how often $n stands below `node`.
void CountParameters(const Node& node, std::vector<uint32_t>* uses);

// Walks a SELECT, INSERT, UPDATE, DELETE, MERGE or any other node.
Query ReadQuery(const Node& statement, Planning* planning);

}  // namespace meridian
