#include "rebalance/digest.h"

#include <fmt/format.h>

#include "sharding/quote.h"

namespace meridian {
namespace {

std::string HashSql(const std::vector<std::string>& columns) {
  std::vector<std::string> names;
  for (const std::string& column : columns) names.push_back(QuoteIdentifier(column));
  return fmt::format("pg_catalog.hashtextextended((ROW({})::pg_catalog.text) COLLATE \"C\", 0)",
                     fmt::join(names, ", "));
}

}  // namespace

absl::StatusOr<Digest> DigestRows(PgConnection& connection, const MovedTable& table,
                                  uint32_t buckets, const std::vector<uint32_t>& only) {
  const std::string bucket = fmt::format("({} & {})", HashSql(table.identity), buckets - 1);
  const std::string chosen =
      only.empty() ? "" : fmt::format(" AND {} IN ({})", bucket, fmt::join(only, ", "));
  auto rows = connection.Query(fmt::format(
      "SELECT {}, pg_catalog.count(*), pg_catalog.sum({}::pg_catalog.numeric) FROM {} WHERE {}{}"
      " GROUP BY 1",
      bucket, HashSql(table.columns), table.name.ToString(), table.condition, chosen));
  if (!rows.ok()) return rows.status();
  Digest digest;
  for (size_t r = 0; r < rows->rows(); ++r) {
    digest[static_cast<uint32_t>(rows->Number(r, 0))] = {rows->Number(r, 1), rows->Text(r, 2)};
  }
  return digest;
}

std::vector<uint32_t> DifferingBuckets(const Digest& a, const Digest& b) {
  std::vector<uint32_t> differing;
  for (const auto& [bucket, digest] : a) {
    const auto other = b.find(bucket);
    if (other == b.end() || !(other->second == digest)) differing.push_back(bucket);
  }
  for (const auto& [bucket, digest] : b) {
    if (!a.contains(bucket)) differing.push_back(bucket);
  }
  return differing;
}

}  // namespace meridian
