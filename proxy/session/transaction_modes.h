// What a transaction's own words ask for: BEGIN, START TRANSACTION, SET TRANSACTION, SET
// transaction_isolation and its like.
#pragma once

#include <optional>
#include <string>

#include "router/statement.h"

namespace meridian {

struct TransactionModes {
  std::string isolation;          // in lower case ("serializable"...); empty: not said
  std::optional<bool> read_only;  // false: READ WRITE, or a value that was not looked at

  bool empty() const { return isolation.empty() && !read_only; }
  // What is said later counts.
  void Add(const TransactionModes& later);
};

TransactionModes ModesOf(const Statement& statement);

}  // namespace meridian
