// The queries of SchemaLoader, for PostgreSQL 12 and newer. They rely on search_path = pg_catalog
// for operators and types. Objects of temporary and TOAST schemas are left out everywhere.
#pragma once

namespace meridian {

// pg_is_in_recovery, digest: a text that changes with each committed change of what the other
// queries read. It sums hashes of row versions (xmin changes with each update; VACUUM and ANALYZE,
// which update pg_class in place, leave it), so it costs one scan of each catalog.
extern const char kSchemaDigestSql[];
// oid, schema, name, relkind
extern const char kSchemaRelationsSql[];
// relation's oid, name, type's oid, type modifier, generated, default; ordered by relation and
// attnum. Default: empty (none), i (immutable), v (varying), q (of a sequence), s (of one
// of which each shard has a window)
extern const char kSchemaColumnsSql[];
// oid, oid: a view or index, and a relation that it uses
extern const char kSchemaReferencesSql[];
// oid, oid: a relation and its parent by partitioning or inheritance
extern const char kSchemaParentsSql[];
// oid of views that are opaque (schema_loader.h) by their own text
extern const char kSchemaOpaqueViewsSql[];
// schema, name, worst volatility, returns a set, is an aggregate, is a window function,
// compares keys (an operator)
extern const char kSchemaFunctionsSql[];
// oid, why its rows cannot be moved (Relation::keeps_rows).
extern const char kSchemaKeptRowsSql[];

}  // namespace meridian
