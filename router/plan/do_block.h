// DO: a block of PL/pgSQL that is seen to touch no table.
#pragma once

#include <string_view>

#include "router/plan/planning.h"

namespace meridian {

struct DoBlock {
  bool harmless = false;  // reads and changes nothing but settings of its session
  bool sets = false;      // changes settings
};

// Knows control flow, RAISE, SET, and built-in functions without effects; any other word makes the
// block one that may do anything. `body` is the block itself, without its quotes.
DoBlock ReadDoBlock(std::string_view body, const Planning& planning);

// Whether the meaning or the place of later statements depends on the setting, so that a server
// must not change it unseen. Settings of Meridian's own (meridian.*) are.
bool IsRoutingSetting(std::string_view name);
// transaction_isolation and its like: of the current transaction, however they are set.
bool IsTransactionSetting(std::string_view name);

}  // namespace meridian
