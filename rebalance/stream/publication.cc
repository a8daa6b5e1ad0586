#include "rebalance/stream/publication.h"

#include <fmt/format.h>

#include <vector>

#include "sharding/quote.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr char kServerWithRowFilters[] = "150000";

}  // namespace

absl::Status MakePublication(PgConnection& source, const std::string& name,
                             absl::Span<const MovedTable> tables) {
  auto known = source.Query("SELECT current_setting('server_version_num')::int >= $1::int",
                            {{kServerWithRowFilters}});
  if (!known.ok()) return known.status();
  if (known->Text(0, 0) != "t") {
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                     fmt::format("{} cannot follow the rows of a key range", source.name()),
                     "Moves need PostgreSQL 15 or newer on the source.");
  }
  std::vector<std::string> filters;
  for (const MovedTable& table : tables) {
    filters.push_back(fmt::format("{} WHERE ({})", table.name.ToString(), table.condition));
  }
  return InTransaction(source, "BEGIN", [&]() -> absl::Status {
    if (absl::Status dropped = DropPublication(source, name); !dropped.ok()) return dropped;
    return source
        .Script(fmt::format("CREATE PUBLICATION {} FOR TABLE {} WITH"
                            " (publish = 'insert, update, delete', publish_via_partition_root)",
                            QuoteIdentifier(name), fmt::join(filters, ", ")))
        .status();
  });
}

absl::Status DropPublication(PgConnection& source, const std::string& name) {
  return source.Script(fmt::format("DROP PUBLICATION IF EXISTS {}", QuoteIdentifier(name)))
      .status();
}

}  // namespace meridian
