// The names of the transactions that Meridian prepares (PREPARE TRANSACTION), by which any proxy
// can finish them: meridian_<proxy>_<worker>_<number>_<lead>. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meridian {

struct TransactionName {
  std::string proxy;  // Proxy::instance() of the one that prepares
  uint64_t worker = 0;
  uint64_t number = 0;
  std::string lead;  // ShardToken of the shard that has the record of the decision

  // At most 199 bytes, as PostgreSQL wants it (GIDSIZE), without quotes and backslashes.
  std::string ToString() const;
};

// nullopt: not a name of ours.
std::optional<TransactionName> ParseTransactionName(std::string_view name);

// A shard's name, or a hash of it where it is not made of lower-case letters, digits and
// underscores alone.
std::string ShardToken(std::string_view shard);

}  // namespace meridian
