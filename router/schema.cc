#include "router/schema.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace meridian {
namespace {

constexpr std::string_view kCatalog = "pg_catalog";

using Index = StringMap<StringMap<size_t>>;

std::optional<size_t> Lookup(const Index& index, std::string_view schema, std::string_view name) {
  const auto names = index.find(schema);
  if (names == index.end()) return std::nullopt;
  const auto found = names->second.find(name);
  if (found == names->second.end()) return std::nullopt;
  return found->second;
}

}  // namespace

std::shared_ptr<const Schema> Schema::Build(uint64_t version, std::vector<Relation> relations,
                                            std::vector<FunctionInfo> functions,
                                            int server_version_num) {
  auto schema = std::make_shared<Schema>();
  schema->version_ = version;
  schema->server_version_num_ = server_version_num;
  schema->relations_ = std::move(relations);
  schema->functions_ = std::move(functions);
  for (size_t i = 0; i < schema->relations_.size(); ++i) {
    const TableName& name = schema->relations_[i].name;
    schema->relation_by_schema_and_name_[name.schema].emplace(name.name, i);
  }
  for (size_t i = 0; i < schema->functions_.size(); ++i) {
    const FunctionInfo& function = schema->functions_[i];
    schema->function_by_schema_and_name_[function.schema].emplace(function.name, i);
    if (function.schema == kCatalog) continue;
    schema->user_function_names_[function.name] |= function.compares_keys;
  }
  return schema;
}

const Relation* Schema::Find(std::string_view schema, std::string_view name) const {
  const auto found = Lookup(relation_by_schema_and_name_, schema, name);
  return found ? &relations_[*found] : nullptr;
}

// PostgreSQL: src/backend/catalog/namespace.c, recomputeNamespacePath.
const Relation* Schema::Resolve(const std::vector<std::string>& search_path,
                                std::string_view name) const {
  if (std::find(search_path.begin(), search_path.end(), kCatalog) == search_path.end()) {
    if (const Relation* relation = Find(kCatalog, name)) return relation;
  }
  for (const std::string& schema : search_path) {
    if (const Relation* relation = Find(schema, name)) return relation;
  }
  return nullptr;
}

const FunctionInfo* Schema::FindFunction(std::string_view schema, std::string_view name) const {
  const auto found = Lookup(function_by_schema_and_name_, schema.empty() ? kCatalog : schema, name);
  return found ? &functions_[*found] : nullptr;
}

bool Schema::HasUserComparison(std::string_view name) const {
  const auto found = user_function_names_.find(name);
  return found != user_function_names_.end() && found->second;
}

bool Schema::HasUserFunction(std::string_view name) const {
  return user_function_names_.contains(name);
}

}  // namespace meridian
