#include "proxy/control/node_check.h"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

// The settings marked GUC_REPORT in PostgreSQL 12 to 18 (src/backend/utils/misc/guc_tables.c), but
// those that depend on the session. libpq tells them only by name.
constexpr const char* kReportedParameters[] = {"DateStyle",
                                               "IntervalStyle",
                                               "TimeZone",
                                               "default_transaction_read_only",
                                               "integer_datetimes",
                                               "scram_iterations",
                                               "server_encoding",
                                               "server_version",
                                               "standard_conforming_strings"};

// A primary's timeline is the one it writes; pg_control has it only from the next checkpoint on.
constexpr char kNodeSql[] = R"sql(SELECT pg_catalog.pg_is_in_recovery(),
  (SELECT system_identifier FROM pg_catalog.pg_control_system()),
  CASE WHEN pg_catalog.pg_is_in_recovery() THEN
    coalesce((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver),
             (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()))
  ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
  current_setting('server_version_num'),
  (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
   ELSE pg_catalog.pg_current_wal_insert_lsn() END - '0/0'::pg_lsn)::int8)sql";

template <typename Number>
Number NumberAt(const PgResult& rows, size_t column) {
  const std::string_view text = rows.Get(0, column).value_or("");
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// libpq's messages may have several lines, further ones indented by tabs.
std::string OneLine(std::string text) {
  std::erase(text, '\t');
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

absl::Status Ask(PgConnection& connection, NodeState& state, Lsn* lsn) {
  auto rows = connection.Query(kNodeSql);
  if (!rows.ok()) return rows.status();
  if (rows->rows() != 1) return SqlStatus(sqlstate::kInternalError, "no row in the node's answer");
  state.role = rows->Get(0, 0) == "t" ? NodeRole::kReplica : NodeRole::kPrimary;
  state.system_identifier = NumberAt<uint64_t>(*rows, 1);
  state.timeline = NumberAt<uint32_t>(*rows, 2);
  state.server_version = NumberAt<int>(*rows, 3);
  *lsn = WithoutPageHeader(NumberAt<Lsn>(*rows, 4));
  state.parameters.clear();
  for (const char* name : kReportedParameters) {
    const char* value = PQparameterStatus(connection.raw(), name);
    if (value != nullptr) state.parameters.emplace_back(name, value);
  }
  return absl::OkStatus();
}

absl::Status AskNew(const PgTarget& target, NodeState& state,
                    std::optional<PgConnection>& connection, Lsn* lsn) {
  connection.reset();
  auto made = PgConnection::Connect(target);
  if (!made.ok()) return made.status();
  connection.emplace(*std::move(made));
  return Ask(*connection, state, lsn);
}

}  // namespace

NodeState CheckNode(const PgTarget& target, NodeState last, std::optional<PgConnection>& connection,
                    Lsn* lsn) {
  NodeState state = std::move(last);
  const bool reuse = connection.has_value() && !connection->broken();
  absl::Status asked =
      reuse ? Ask(*connection, state, lsn) : AskNew(target, state, connection, lsn);
  if (reuse && IsConnectionLoss(asked)) asked = AskNew(target, state, connection, lsn);
  state.reachable = asked.ok();
  state.last_error = asked.ok() ? "" : OneLine(ToSqlError(asked).message);
  if (!asked.ok()) {
    state.role = NodeRole::kUnknown;
    connection.reset();
  }
  return state;
}

}  // namespace meridian
