// From the references among relations, as the system catalogs hold them, to what schema.h tells of
// each relation. Pure.
#pragma once

#include <vector>

#include "router/schema.h"

namespace meridian {

// A relation with its edges; `relation` without reads and ancestors, has_opaque_functions by its
// own text alone.
struct RelationNode {
  Oid oid = 0;
  Relation relation;
  std::vector<Oid> references;  // what a view or index uses
  std::vector<Oid> parents;     // partitioned tables, inheritance parents
};

// Fills in reads, ancestors and has_opaque_functions through all levels (see schema_loader.h).
// References to relations that are not in the list are ignored; cycles do no harm. The result is in
// the order of `nodes`, whose oids are distinct.
std::vector<Relation> ResolveRelations(std::vector<RelationNode> nodes);

}  // namespace meridian
