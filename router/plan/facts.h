// What a statement's conditions imply for the keys of each sharded table in it (design: section 6).
#pragma once

#include "router/plan/key_set.h"
#include "router/plan/planning.h"
#include "router/plan/query.h"

namespace meridian {

// The keys of the rows of `query.references[reference]` that can matter for the statement's result:
// a superset. Precondition: the reference is sharded.
KeySet KeysOf(const Query& query, size_t reference, const Planning& planning);

// Whether the conditions make the key columns of both references equal, one by one.
bool JoinedOnKey(const Query& query, size_t a, size_t b, const Planning& planning);

}  // namespace meridian
