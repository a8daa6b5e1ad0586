// The catalog's tables as rows, from and to a MapDraft, and the difference between two drafts as
// SQL. Pure: the store only sends and fetches.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/catalog/map_draft.h"

namespace meridian {

using CatalogRow = std::vector<std::optional<std::string>>;

// A table of sql/*.sql that holds a part of the map. The first `key_columns` columns are its
// primary key.
struct CatalogTable {
  std::string_view name;
  std::vector<std::string_view> columns;
  size_t key_columns;
};

// In an order in which rows can be inserted.
const std::vector<CatalogTable>& CatalogTables();

// Rows per table, in the order of CatalogTables().
using CatalogRows = std::vector<std::vector<CatalogRow>>;

CatalogRows EncodeDraft(const MapDraft& draft);
// XX001 (data corrupted) with the table's name where a row cannot be read.
absl::StatusOr<MapDraft> DecodeDraft(const CatalogRows& rows);

struct CatalogStatement {
  std::string sql;
  CatalogRow parameters;
};
// What turns `before` into `after`: deletes, updates, inserts. Empty where they are equal.
std::vector<CatalogStatement> Difference(const CatalogRows& before, const CatalogRows& after);

}  // namespace meridian
