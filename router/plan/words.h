// Places of words in a statement's text that the parse tree does not tell.
#pragma once

#include "router/plan/planning.h"
#include "router/values.h"

namespace meridian {

// The token of this number (from 0), or the last one, of the part `range` of planning.text; places
// are in the whole text.
TextRange TokenAt(const Planning& planning, TextRange range, size_t index);
TextRange LastToken(const Planning& planning, TextRange range);

// The statement in PREPARE name [(types)] AS statement.
TextRange BodyOfPrepare(const Planning& planning, TextRange range);
// The statement in EXPLAIN [options] statement.
TextRange BodyOfExplain(const Planning& planning, TextRange range, bool has_options);

}  // namespace meridian
