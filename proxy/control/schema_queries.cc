#include "proxy/control/schema_queries.h"

#include "sharding/sequence_window.h"

namespace meridian {

#define NAMESPACES                                            \
  "(SELECT oid, nspname, xmin FROM pg_catalog.pg_namespace n" \
  " WHERE n.nspname !~ '^pg_(toast|temp)')"

// A sequence of which each shard has a window of its own, by what the default shard has of it.
#define DIVIDED                                                                       \
  "a.atttypid = 'int8'::regtype AND q.seqtypid = 'int8'::regtype AND q.seqincrement " \
  "> 0 AND NOT q.seqcycle AND q.seqmax = 281474976710655"
static_assert(WindowOf(0).max == 281474976710655);

const char kSchemaDigestSql[] = "WITH namespaces AS MATERIALIZED " NAMESPACES R"sql(,
relations AS MATERIALIZED (
  SELECT c.oid, c.xmin, c.relkind FROM pg_catalog.pg_class c
  WHERE c.relnamespace IN (SELECT oid FROM namespaces)),
sums(n, s) AS (
  SELECT count(*), sum(hashint8extended(xmin::text::int8, oid::int8)) FROM namespaces
  UNION ALL
  SELECT count(*), sum(hashint8extended(xmin::text::int8, oid::int8)) FROM relations
  UNION ALL
  SELECT count(*), sum(hashint8extended(a.xmin::text::int8, (a.attrelid::int8 << 16) + a.attnum))
  FROM pg_catalog.pg_attribute a
  WHERE a.attnum > 0 AND a.attrelid IN (SELECT oid FROM relations WHERE relkind IN ('r','p','v','m','f'))
  UNION ALL
  SELECT count(*), sum(hashint8extended(q.xmin::text::int8, q.seqrelid::int8))
  FROM pg_catalog.pg_sequence q WHERE q.seqrelid IN (SELECT oid FROM relations)
  UNION ALL
  SELECT count(*), sum(hashint8extended(i.xmin::text::int8, (i.inhrelid::int8 << 16) + i.inhseqno))
  FROM pg_catalog.pg_inherits i
  UNION ALL
  SELECT count(*), sum(hashint8extended(r.xmin::text::int8, r.oid::int8)) FROM pg_catalog.pg_rewrite r
  UNION ALL
  SELECT count(*), sum(hashint8extended(p.xmin::text::int8, p.oid::int8)) FROM pg_catalog.pg_proc p
  UNION ALL
  SELECT count(*), sum(hashint8extended(a.xmin::text::int8, a.aggfnoid::int8))
  FROM pg_catalog.pg_aggregate a
  UNION ALL
  SELECT count(*), sum(hashint8extended(o.xmin::text::int8, o.oid::int8)) FROM pg_catalog.pg_operator o)
SELECT pg_catalog.pg_is_in_recovery(), string_agg(n || ':' || coalesce(s, 0), ' ') FROM sums
)sql";

const char kSchemaRelationsSql[] =
    R"sql(SELECT c.oid, n.nspname, c.relname, c.relkind,
  c.relpersistence = 'u' OR c.relkind IN ('S', 'f')
FROM pg_catalog.pg_class c JOIN )sql" NAMESPACES R"sql( n ON n.oid = c.relnamespace
ORDER BY n.nspname, c.relname)sql";

const char kSchemaColumnsSql[] =
    R"sql(SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attgenerated <> '',
  CASE WHEN a.attidentity <> '' THEN CASE WHEN EXISTS (
      SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.objid
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = d.classid AND d.deptype = 'i'
        AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND )sql" DIVIDED
    R"sql() THEN 's' ELSE 'q' END WHEN NOT a.atthasdef THEN '' WHEN a.attgenerated <> '' THEN 'i'
    ELSE (SELECT CASE WHEN bool_or(p.proname = 'nextval') THEN CASE WHEN EXISTS (
          SELECT FROM pg_catalog.pg_attrdef f
          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid
          JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.refobjid
          WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum AND )sql" DIVIDED R"sql(
            AND pg_get_expr(f.adbin, f.adrelid) = format('nextval(%L::regclass)', q.seqrelid::regclass))
          THEN 's' ELSE 'q' END
        WHEN bool_or(d.adbin::text LIKE '%{SQLVALUEFUNCTION %') OR
          bool_or(m.groups IS NOT NULL AND coalesce(p.provolatile::text, 'v') <> 'i') THEN 'v'
        ELSE 'i' END
      FROM pg_catalog.pg_attrdef d
      LEFT JOIN LATERAL regexp_matches(
        d.adbin::text, ':(?:funcid|opfuncid) ([1-9][0-9]*)', 'g') m(groups) ON true
      LEFT JOIN pg_catalog.pg_proc p ON p.oid = m.groups[1]::oid
      WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN )sql" NAMESPACES R"sql( n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY a.attrelid, a.attnum)sql";

const char kSchemaReferencesSql[] = R"sql(SELECT DISTINCT r.ev_class, d.refobjid
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
UNION ALL
SELECT i.indexrelid, i.indrelid FROM pg_catalog.pg_index i)sql";

const char kSchemaParentsSql[] = R"sql(SELECT i.inhrelid, i.inhparent
FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
WHERE c.relkind IN ('r', 'p', 'f')
ORDER BY i.inhrelid, i.inhseqno)sql";

// PostgreSQL's own views (pg_settings) show, and change nothing, though the functions behind them
// are volatile. pg_depend does not record functions that initdb made, so those are found in the
// rule's node tree (src/backend/nodes/outfuncs.c), which gives each call's function, also behind
// operators.
const char kSchemaOpaqueViewsSql[] = R"sql(WITH known AS MATERIALIZED (
  SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema')),
rules AS MATERIALIZED (
  SELECT r.oid, r.ev_class, r.ev_action::text AS action FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
  WHERE c.relnamespace NOT IN (SELECT oid FROM known)),
calls AS (
  SELECT DISTINCT r.ev_class, m.groups[1]::oid AS function
  FROM rules r, regexp_matches(
    r.action, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') m(groups))
SELECT c.ev_class FROM calls c LEFT JOIN pg_catalog.pg_proc p ON p.oid = c.function
WHERE p.oid IS NULL OR p.provolatile = 'v' OR p.pronamespace NOT IN (SELECT oid FROM known)
UNION
SELECT r.ev_class FROM rules r WHERE r.action LIKE '%:hasForUpdate true%'
UNION
SELECT r.ev_class FROM rules r
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
LEFT JOIN pg_catalog.pg_proc p
  ON d.refclassid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.refobjid
LEFT JOIN pg_catalog.pg_operator o
  ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid
LEFT JOIN pg_catalog.pg_type t
  ON d.refclassid = 'pg_catalog.pg_type'::regclass AND t.oid = d.refobjid AND t.typtype = 'd'
WHERE coalesce(p.pronamespace, o.oprnamespace, t.typnamespace) NOT IN (SELECT oid FROM known))sql";

const char kSchemaFunctionsSql[] =
    R"sql(WITH key_types AS (
  SELECT t.oid FROM pg_catalog.pg_type t
  WHERE t.typtype = 'p' OR t.typnamespace = 'pg_catalog'::regnamespace AND t.typname IN (
    'int2', 'int4', 'int8', 'numeric', 'text', 'varchar', 'uuid', 'date', 'timestamp',
    'timestamptz', 'bytea'))
SELECT n.nspname, p.proname,
  max(greatest(p.provolatile::text, t.provolatile::text, f.provolatile::text) COLLATE "C"),
  bool_or(p.proretset), bool_or(p.prokind = 'a'), bool_or(p.prokind = 'w'), false
FROM pg_catalog.pg_proc p
JOIN )sql" NAMESPACES R"sql( n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
LEFT JOIN pg_catalog.pg_proc t ON t.oid = a.aggtransfn
LEFT JOIN pg_catalog.pg_proc f ON f.oid = a.aggfinalfn
GROUP BY n.nspname, p.proname
UNION ALL
SELECT n.nspname, o.oprname, max(coalesce(p.provolatile::text, 'v') COLLATE "C"),
  false, false, false,
  bool_or(o.oprname IN ('=', '<', '<=', '>', '>=') AND
    (o.oprleft IN (SELECT oid FROM key_types) OR o.oprright IN (SELECT oid FROM key_types)))
FROM pg_catalog.pg_operator o
JOIN )sql" NAMESPACES R"sql( n ON n.oid = o.oprnamespace AND n.nspname <> 'pg_catalog'
LEFT JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
GROUP BY n.nspname, o.oprname)sql";

// The types are those whose binary form is exact, and the same on every server. A move checks the
// rest again where it is done. Triggers of ours are a fence's, which leaves rows as they are.
const char kSchemaKeptRowsSql[] = R"sql(SELECT oid, why FROM (
  SELECT c.oid, CASE
    WHEN c.relkind <> 'r' OR c.relispartition OR c.relhassubclass OR
      EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
      THEN 'has partitions or inherits'
    WHEN c.relrowsecurity THEN 'has row level security'
    WHEN c.relhasrules THEN 'has rules'
    WHEN c.relhastriggers AND EXISTS (SELECT FROM pg_catalog.pg_trigger g
      JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
      JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace
      WHERE g.tgrelid = c.oid AND s.nspname <> 'meridian')
      THEN 'has triggers, foreign keys or deferrable constraints'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        AND a.atttypid NOT IN (
          'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype,
          'float4'::regtype, 'float8'::regtype, 'text'::regtype, 'varchar'::regtype,
          'bpchar'::regtype, 'bytea'::regtype, 'uuid'::regtype, 'date'::regtype, 'time'::regtype,
          'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'interval'::regtype,
          'json'::regtype, 'jsonb'::regtype, '_int4'::regtype, '_int8'::regtype,
          '_text'::regtype))
      THEN 'has a column of a type that is not known to keep its value on the way'
    END AS why
  FROM pg_catalog.pg_class c JOIN )sql" NAMESPACES R"sql( n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p')) k
WHERE why IS NOT NULL)sql";

#undef NAMESPACES
#undef DIVIDED

}  // namespace meridian
