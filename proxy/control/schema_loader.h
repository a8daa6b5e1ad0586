// Reads router/schema.h's Schema from a server's system catalogs. Blocking.
//
// Beyond what schema.h says of its members:
//   relations   tables, partitioned tables, views, materialized views, foreign tables, sequences of
//   all
//               schemas but pg_toast and temporary ones, pg_catalog and information_schema
//               included; as kOther, without columns, whatever else can stand in a name's way:
//               indexes and composite types. An index `reads` its table.
//   reads       of a view: tables, foreign tables and materialized views, through all views (what a
//               materialized view was made from is in its own `reads`, not in that of its readers)
//   ancestors   of a partition or a child by inheritance: the nearest first
//   opaque      a view that calls a function that is volatile or outside of pg_catalog, uses such
//   an
//               operator, a domain, or locks rows; or reads a view that does
//   functions   and operators outside of pg_catalog, under their symbol, with their function's
//               volatility; an aggregate is as volatile as its transition and final functions.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "router/schema.h"
#include "sharding/catalog/pg_connection.h"

namespace meridian {

// Remembers what it read last. One thread at a time.
class SchemaLoader {
 public:
  // The schema as it is in `connection`'s database, all from one snapshot that begins after the
  // call. Where nothing has changed, the same object as before; otherwise one with the next version
  // (the first is 1). A cheap query over the system catalogs' row versions tells whether
  // to read at all. 25006 where the server is in recovery (its view of the schema may be old).
  // `server_version`: the newest among the shards (150004), for Schema::server_version_num; 0: not
  // known.
  absl::StatusOr<std::shared_ptr<const Schema>> Load(PgConnection& connection,
                                                     int server_version = 0);

 private:
  std::string server_;  // that was read last
  std::string digest_;  // of its row versions then
  std::shared_ptr<const Schema> schema_;
};

}  // namespace meridian
