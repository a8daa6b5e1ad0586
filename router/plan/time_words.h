// Literals that mean the current time.
#pragma once

#include "router/values.h"

namespace meridian {

// Whether a string among the values may be date/time input that means another time on each server:
// 'now', 'today', 'tomorrow 04:00' (PostgreSQL: src/backend/utils/adt/datetime.c, datetktbl).
bool HasTimeWord(const Values& values, bool standard_conforming_strings);

}  // namespace meridian
