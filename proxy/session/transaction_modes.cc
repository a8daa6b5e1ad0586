#include "proxy/session/transaction_modes.h"

namespace meridian {

void TransactionModes::Add(const TransactionModes& later) {
  if (!later.isolation.empty()) isolation = later.isolation;
  if (later.read_only) read_only = later.read_only;
}

TransactionModes ModesOf(const Statement& statement) {
  TransactionModes modes;
  const auto& words = statement.arguments;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    if (words[i] == "transaction_isolation") modes.isolation = words[i + 1];
    if (words[i] == "transaction_read_only") modes.read_only = words[i + 1] == "on";
  }
  return modes;
}

}  // namespace meridian
