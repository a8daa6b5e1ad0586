// The columns of a subquery in FROM or of a WITH query, as the names around it see them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "router/parse/views.h"
#include "router/plan/query.h"

namespace meridian {

enum class RowUse : uint8_t {
  kEachAlone,
  kTogether,  // window functions, locks, calls with effects: leaving a row out may be seen
};

// Adds to `entry` what `select`, whose names are those of `level`, gives to the names around it. A
// column is followed to the table inside (a reference from `first_reference` on) only where a row
// that a condition outside drops may as well be dropped inside: not through LIMIT, DISTINCT ON,
// another GROUP BY, or where the rows count together.
void ReadOutputs(const SelectView& select, const Level& level, size_t first_reference,
                 const Query& query, RowUse use, Level::Entry* entry);

// Renames the first columns, as AS t (a, b) does.
void RenameOutputs(const std::vector<std::string_view>& names, Level::Entry* entry);

}  // namespace meridian
