// Brings a catalog's schema to the version of this binary. Blocking.
#pragma once

#include <absl/status/status.h>

#include <string>

#include "sharding/catalog/pg_connection.h"

namespace meridian {

// Sets what every catalog connection needs: search_path to the schema alone, limits on locks and
// idle transactions, a commit that is durable.
absl::Status PrepareCatalogSession(PgConnection& connection, const std::string& schema);

// See CatalogStore::Migrate.
absl::Status MigrateCatalog(PgConnection& connection, const std::string& schema);

// OK where the schema has exactly this binary's version; 55000 with a hint otherwise.
absl::Status CheckCatalogVersion(PgConnection& connection, const std::string& schema);

}  // namespace meridian
