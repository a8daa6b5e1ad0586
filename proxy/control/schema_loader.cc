#include "proxy/control/schema_loader.h"

#include <absl/container/flat_hash_map.h>

#include <charconv>
#include <utility>

#include "proxy/control/relation_graph.h"
#include "proxy/control/schema_queries.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

template <typename Number>
Number NumberAt(const PgResult& result, size_t row, size_t column) {
  const std::string_view text = result.Get(row, column).value_or("");
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Oid OidAt(const PgResult& result, size_t row, size_t column) {
  return NumberAt<Oid>(result, row, column);
}

bool BoolAt(const PgResult& result, size_t row, size_t column) {
  return result.Get(row, column) == "t";
}

Relation::Kind KindOf(std::string_view relkind) {
  using Kind = Relation::Kind;
  switch (relkind.empty() ? '\0' : relkind[0]) {
    case 'r':
    case 'p':
      return Kind::kTable;
    case 'v':
      return Kind::kView;
    case 'm':
      return Kind::kMaterializedView;
    case 'S':
      return Kind::kSequence;
    case 'f':
      return Kind::kForeignTable;
    default:
      return Kind::kOther;
  }
}

Volatility VolatilityOf(std::string_view provolatile) {
  if (provolatile == "i") return Volatility::kImmutable;
  return provolatile == "s" ? Volatility::kStable : Volatility::kVolatile;
}

Column::Default DefaultOf(std::string_view text) {
  using Default = Column::Default;
  if (text.empty()) return Default::kNone;
  if (text == "i") return Default::kImmutable;
  if (text == "s") return Default::kDividedSequence;
  return text == "q" ? Default::kSequence : Default::kVarying;
}

// Reads the parts one after the other; the first error ends it.
class Reader {
 public:
  explicit Reader(PgConnection& connection) : connection_(connection) {}

  absl::Status ReadRelations() {
    auto rows = connection_.Query(kSchemaRelationsSql);
    if (!rows.ok()) return rows.status();
    nodes_.reserve(rows->rows());
    for (size_t i = 0; i < rows->rows(); ++i) {
      RelationNode& node = nodes_.emplace_back();
      node.oid = OidAt(*rows, i, 0);
      node.relation.name = {rows->Text(i, 1), rows->Text(i, 2)};
      node.relation.kind = KindOf(rows->Get(i, 3).value_or(""));
      node.relation.differs_on_replica = BoolAt(*rows, i, 4);
      by_oid_.emplace(node.oid, i);
    }
    return absl::OkStatus();
  }

  absl::Status ReadColumns() {
    return ForEach(kSchemaColumnsSql, [](RelationNode& node, const PgResult& rows, size_t i) {
      node.relation.columns.push_back({.name = rows.Text(i, 1),
                                       .type = OidAt(rows, i, 2),
                                       .modifier = NumberAt<int32_t>(rows, i, 3),
                                       .generated = BoolAt(rows, i, 4),
                                       .default_value = DefaultOf(rows.Get(i, 5).value_or(""))});
    });
  }

  absl::Status ReadEdges() {
    absl::Status read =
        ForEach(kSchemaReferencesSql, [](RelationNode& node, const PgResult& rows, size_t i) {
          node.references.push_back(OidAt(rows, i, 1));
        });
    if (!read.ok()) return read;
    return ForEach(kSchemaParentsSql, [](RelationNode& node, const PgResult& rows, size_t i) {
      node.parents.push_back(OidAt(rows, i, 1));
    });
  }

  absl::Status ReadOpaqueViews() {
    return ForEach(kSchemaOpaqueViewsSql, [](RelationNode& node, const PgResult&, size_t) {
      node.relation.has_opaque_functions = true;
    });
  }

  absl::Status ReadKeptRows() {
    return ForEach(kSchemaKeptRowsSql, [](RelationNode& node, const PgResult& rows, size_t i) {
      node.relation.keeps_rows = rows.Text(i, 1);
    });
  }

  absl::Status ReadFunctions() {
    auto rows = connection_.Query(kSchemaFunctionsSql);
    if (!rows.ok()) return rows.status();
    functions_.reserve(rows->rows());
    for (size_t i = 0; i < rows->rows(); ++i) {
      functions_.push_back({.schema = rows->Text(i, 0),
                            .name = rows->Text(i, 1),
                            .volatility = VolatilityOf(rows->Get(i, 2).value_or("")),
                            .set_returning = BoolAt(*rows, i, 3),
                            .aggregate = BoolAt(*rows, i, 4),
                            .window = BoolAt(*rows, i, 5),
                            .compares_keys = BoolAt(*rows, i, 6)});
    }
    return absl::OkStatus();
  }

  absl::Status ReadAll() {
    for (const auto part :
         {&Reader::ReadRelations, &Reader::ReadColumns, &Reader::ReadEdges,
          &Reader::ReadOpaqueViews, &Reader::ReadKeptRows, &Reader::ReadFunctions}) {
      if (absl::Status read = (this->*part)(); !read.ok()) return read;
    }
    return absl::OkStatus();
  }

  std::vector<Relation> TakeRelations() { return ResolveRelations(std::move(nodes_)); }
  std::vector<FunctionInfo> TakeFunctions() { return std::move(functions_); }

 private:
  // Calls visit(relation, rows, row) for each row whose first column is a relation's oid.
  template <typename Visit>
  absl::Status ForEach(const char* sql, Visit visit) {
    auto rows = connection_.Query(sql);
    if (!rows.ok()) return rows.status();
    for (size_t i = 0; i < rows->rows(); ++i) {
      const auto found = by_oid_.find(OidAt(*rows, i, 0));
      if (found != by_oid_.end()) visit(nodes_[found->second], *rows, i);
    }
    return absl::OkStatus();
  }

  PgConnection& connection_;
  std::vector<RelationNode> nodes_;
  absl::flat_hash_map<Oid, size_t> by_oid_;  // index into nodes_
  std::vector<FunctionInfo> functions_;
};

// Nullopt: the digest is `known`, so nothing was read.
struct Contents {
  std::string digest;
  std::optional<std::pair<std::vector<Relation>, std::vector<FunctionInfo>>> schema;
};

absl::StatusOr<Contents> Read(PgConnection& connection, const std::string& known) {
  Contents contents;
  // One snapshot for all queries, taken by the first.
  absl::Status done = InTransaction(
      connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", [&]() -> absl::Status {
        auto digest = connection.Query(kSchemaDigestSql);
        if (!digest.ok()) return digest.status();
        if (BoolAt(*digest, 0, 0)) {
          return SqlStatus("25006", "cannot read the schema from " + connection.name() +
                                        ": it is in recovery, its state may be old");
        }
        contents.digest = digest->Text(0, 1);
        if (contents.digest == known) return absl::OkStatus();
        Reader reader(connection);
        if (absl::Status read = reader.ReadAll(); !read.ok()) return read;
        contents.schema.emplace(reader.TakeRelations(), reader.TakeFunctions());
        return absl::OkStatus();
      });
  if (!done.ok()) return done;
  return contents;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Schema>> SchemaLoader::Load(PgConnection& connection,
                                                                 int server_version) {
  // Row versions of different servers cannot be compared.
  const std::string server = connection.name();
  const bool same_version = schema_ != nullptr && schema_->server_version_num() == server_version;
  if (server != server_ || !same_version) digest_.clear();
  auto contents = Read(connection, digest_);
  if (!contents.ok()) return contents.status();
  server_ = server;
  digest_ = std::move(contents->digest);
  if (!contents->schema) return schema_;
  auto& [relations, functions] = *contents->schema;
  const bool same =
      same_version && schema_->relations() == relations && schema_->functions() == functions;
  if (!same) {
    const uint64_t version = schema_ == nullptr ? 1 : schema_->version() + 1;
    schema_ = Schema::Build(version, std::move(relations), std::move(functions), server_version);
  }
  return schema_;
}

}  // namespace meridian
