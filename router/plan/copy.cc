// COPY: to one shard like a query, from the client into a sharded table split by key.
#include <fmt/format.h>

#include <algorithm>

#include "router/copy/copy_spec.h"
#include "router/parse/views.h"
#include "router/plan/defaults.h"
#include "router/plan/key_writes.h"
#include "router/plan/plan.h"
#include "router/plan/program.h"
#include "router/plan/query_program.h"
#include "router/plan/refusal.h"
#include "router/plan/stored_key.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Kind = RouteProgram::Kind;

std::string Lower(std::string text) {
  for (char& c : text) c = AsciiLower(c);
  return text;
}

// Whether the servers may know options that are not known here.
bool IsNewer(const Schema& schema) {
  constexpr int kFirstNewerVersion = 160000;
  return schema.server_version_num() == 0 || schema.server_version_num() >= kFirstNewerVersion;
}

class CopyPlanner {
 public:
  CopyPlanner(const CopyView& copy, Planning* planning, Statement* statement, RouteProgram* program)
      : copy_(copy), planning_(*planning), statement_(*statement), program_(*program) {}

  void Plan() {
    // Its options are string literals.
    planning_.depends_on_literals = !planning_.literals.empty();
    statement_.verb = copy_.from() ? Verb::kCopyIn : Verb::kCopyOut;
    statement_.writes = copy_.from();
    const Query query = ReadQuery(copy_.node, &planning_);
    if (copy_.query()) return PlanQueryOut();
    const TableReference& table = query.references[0];
    statement_.pin = PinOf(query);
    if (copy_.from()) return PlanIn(query, table);
    statement_.differs_on_replica = !copy_.with_client() || DiffersOnReplica(query);
    statement_.reads_tables = true;
    statement_.reads_reference = ReadsReference(query);
    AddNeeds(query, planning_, &program_);
    RefuseServerFile(table);
    if (table.sharded()) AllowConcat(table.mapped);
  }

 private:
  // A server's file is another one on each server.
  void RefuseServerFile(const TableReference& table) {
    if (copy_.with_client() || table.mapped == nullptr) return;
    program_.refusal =
        Refused(fmt::format("COPY of {} with a file or program of the server is not supported",
                            table.table.ToString()),
                "Use COPY ... FROM STDIN or TO STDOUT (\\copy in psql).");
  }

  // Rows of the text format, and of CSV without header, can be put together in any order.
  void AllowConcat(const MappedTable* table) {
    CopySpec spec;
    if (const absl::Status options = ReadOptions(&spec); !options.ok()) {
      program_.several = RouteProgram::Several::kRefuse;
      program_.several_refusal = options;
      return;
    }
    if (spec.format == CopyFormat::kBinary || spec.header) {
      program_.several = RouteProgram::Several::kRefuse;
      program_.several_refusal =
          RefuseSeveralShards("COPY puts only text, or CSV without header, together", table);
      return;
    }
    program_.several = RouteProgram::Several::kConcat;
  }

  void PlanQueryOut() {
    const Ref<const Statement> inner = PlanStatement(copy_.query(), {}, &planning_);
    planning_.depends_on_literals = true;
    statement_.writes = inner->writes;
    statement_.pin = inner->pin;
    statement_.reads_sequence_state = inner->reads_sequence_state;
    statement_.differs_on_replica = !copy_.with_client() || inner->differs_on_replica;
    statement_.reads_tables = inner->reads_tables;
    statement_.reads_reference = inner->reads_reference;
    program_ = *inner->route;
    if (!copy_.with_client()) {
      program_.several = RouteProgram::Several::kRefuse;
      program_.several_refusal = RefuseSeveralShards("COPY writes a file of one server", nullptr);
    } else if (program_.several == RouteProgram::Several::kConcat) {
      AllowConcat(nullptr);
    } else if (program_.several == RouteProgram::Several::kSum) {
      program_.several = RouteProgram::Several::kRefuse;
      program_.several_refusal = RefuseSeveralShards("is a COPY of a write", nullptr);
    }
  }

  void PlanIn(const Query& query, const TableReference& table) {
    std::vector<std::string> given;
    for (const std::string_view name : Names(copy_.columns())) given.emplace_back(name);
    if (!given.empty()) UseDefaultsBut(table, given, &program_);
    if (!table.sharded()) {
      if (table.everywhere()) {
        program_.written_reference_table = table.table.ToString();
        program_.kind = Kind::kQuery;
      } else {
        AddNeeds(query, planning_, &program_);
      }
      return RefuseServerFile(table);
    }
    program_.kind = Kind::kCopyIn;
    program_.references.push_back({table.table, table.mapped->distribution, KeySet::All()});
    auto spec = std::make_unique<CopySpec>();
    spec->distribution = table.mapped->distribution;
    program_.refusal.Update(FillSpec(table, spec.get()));
    if (program_.refusal.ok()) RefuseServerFile(table);
    statement_.copy = std::move(spec);
  }

  absl::Status FillSpec(const TableReference& table, CopySpec* spec) {
    std::vector<std::string> columns;
    for (const std::string_view name : Names(copy_.columns())) columns.emplace_back(name);
    if (columns.empty()) {
      if (table.relation == nullptr) {
        return Refused(fmt::format("the columns of {} are not known", table.table.ToString()),
                       "Name the columns: COPY t (a, b) FROM STDIN.");
      }
      for (const Column& column : table.relation->columns) {
        if (!column.generated) columns.push_back(column.name);
      }
    }
    spec->field_count = columns.size();
    const std::vector<std::string>& keys = table.mapped->key_columns;
    for (size_t i = 0; i < keys.size(); ++i) {
      const std::string& key = keys[i];
      const auto found = std::find(columns.begin(), columns.end(), key);
      if (found == columns.end() && !KeyMayDefault(table, i)) return NullKey(table.table, key);
      if (found == columns.end()) {
        return Refused(fmt::format("COPY into {} has no distribution key column \"{}\"",
                                   table.table.ToString(), key),
                       "The key decides on which shard a row lives: name it among the columns.");
      }
      spec->key_fields.push_back(static_cast<size_t>(found - columns.begin()));
      spec->modifiers.push_back(ModifierOfKey(table, i));
    }
    spec->force_null.assign(spec->key_fields.size(), false);
    spec->force_not_null.assign(spec->key_fields.size(), false);
    key_columns_ = &table.mapped->key_columns;
    return ReadOptions(spec);
  }

  // Takes over what COPY's options say. What the server will refuse (a delimiter of two characters)
  // it refuses before it asks for data.
  absl::Status ReadOptions(CopySpec* spec) {
    bool null_given = false;
    bool delimiter_given = false;
    bool escape_given = false;
    for (const Node node : copy_.options()) {
      const OptionView option(node);
      const std::string_view name = option.name();
      const std::string value = option.text();
      if (name == "format") {
        if (value == "csv") spec->format = CopyFormat::kCsv;
        if (value == "binary") spec->format = CopyFormat::kBinary;
      } else if (name == "delimiter") {
        delimiter_given = true;
        if (!value.empty()) spec->delimiter = value[0];
      } else if (name == "null") {
        null_given = true;
        spec->null_text = value;
      } else if (name == "quote") {
        if (!value.empty()) spec->quote = value[0];
      } else if (name == "escape") {
        escape_given = true;
        if (!value.empty()) spec->escape = value[0];
      } else if (name == "header") {
        spec->header = Lower(value) == "match" || option.boolean(true);
      } else if (name == "force_null") {
        Force(option.value(), &spec->force_null);
      } else if (name == "force_not_null") {
        Force(option.value(), &spec->force_not_null);
      } else if (name == "encoding") {
        spec->encoding = ClientEncodingByName(value);
        if (spec->encoding.has_value() && EmbedsAscii(*spec->encoding)) {
          return Refused(
              fmt::format("COPY of a sharded table in the encoding \"{}\" is not supported", value),
              "Use ENCODING 'UTF8' and convert the data.");
        }
      } else if (name != "freeze" && name != "force_quote" && IsNewer(planning_.schema)) {
        // DEFAULT of PostgreSQL 16, for one, gives a key that the data does not show.
        return Refused(
            fmt::format("COPY of a sharded table with the option {} is not supported", name),
            "Leave it out, or SET meridian.shard.");
      }
    }
    if (spec->format == CopyFormat::kCsv) {
      if (!delimiter_given) spec->delimiter = ',';
      if (!null_given) spec->null_text.clear();
      if (!escape_given) spec->escape = spec->quote;
    }
    return absl::OkStatus();
  }

  // FORCE_NULL (a, b) or FORCE_NULL *.
  void Force(const Node& list, std::vector<bool>* force) const {
    if (key_columns_ == nullptr) return;
    const auto names = Names(ItemsView(list).items());
    for (size_t i = 0; i < key_columns_->size(); ++i) {
      if (list.Is(NodeKind::kStar) ||
          std::find(names.begin(), names.end(), (*key_columns_)[i]) != names.end()) {
        (*force)[i] = true;
      }
    }
  }

  const CopyView copy_;
  Planning& planning_;
  Statement& statement_;
  RouteProgram& program_;
  const std::vector<std::string>* key_columns_ = nullptr;
};

}  // namespace

void PlanCopy(const Node& node, Planning* planning, Statement* statement, RouteProgram* program) {
  CopyPlanner(CopyView(node), planning, statement, program).Plan();
}

}  // namespace meridian
