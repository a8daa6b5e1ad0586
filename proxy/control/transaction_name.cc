#include "proxy/control/transaction_name.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>

namespace meridian {
namespace {

constexpr std::string_view kPrefix = "meridian_";
constexpr size_t kPlainTokenMaxBytes = 63;

bool IsPlain(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

// What stands before the next underscore; takes both off.
std::optional<std::string_view> Cut(std::string_view& rest) {
  const size_t end = rest.find('_');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return part;
}

std::optional<uint64_t> CutNumber(std::string_view& rest) {
  const auto part = Cut(rest);
  uint64_t number = 0;
  if (!part || part->empty()) return std::nullopt;
  const auto [stop, error] = std::from_chars(part->data(), part->data() + part->size(), number);
  if (error != std::errc() || stop != part->data() + part->size()) return std::nullopt;
  return number;
}

}  // namespace

std::string ShardToken(std::string_view shard) {
  if (shard.size() <= kPlainTokenMaxBytes && std::all_of(shard.begin(), shard.end(), IsPlain)) {
    return std::string(shard);
  }
  return fmt::format("#{:016x}", XXH3_64bits(shard.data(), shard.size()));
}

std::string TransactionName::ToString() const {
  return fmt::format("{}{}_{}_{}_{}", kPrefix, proxy, worker, number, lead);
}

std::optional<TransactionName> ParseTransactionName(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const auto proxy = Cut(name);
  const auto worker = CutNumber(name);
  const auto number = worker ? CutNumber(name) : std::nullopt;
  if (!proxy || proxy->empty() || !number || name.empty()) return std::nullopt;
  return TransactionName{std::string(*proxy), *worker, *number, std::string(name)};
}

}  // namespace meridian
