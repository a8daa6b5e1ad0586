// The admin parser under any input: no crash, errors with a SQLSTATE and a position inside the
// text, and every statement's text means the same when it is parsed alone.
#include <cstdlib>

#include "sharding/admin/parser.h"
#include "sharding/admin/syntax.h"
#include "sharding/sql_status.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace meridian;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto statements = ParseAdmin(text);
  if (!statements.ok()) {
    const SqlError error = ToSqlError(statements.status());
    if (error.sqlstate.size() != 5 || error.sqlstate == "XX000" || error.message.empty())
      std::abort();
    if (error.position < 0 || error.position > static_cast<int>(size) + 1) std::abort();
    return 0;
  }
  for (const AdminStatement& statement : *statements) {
    const auto again = ParseAdmin(statement.text);
    if (!again.ok() || again->size() != 1 || again->front().text != statement.text ||
        again->front().command.index() != statement.command.index() ||
        TagOf(again->front().command) != TagOf(statement.command)) {
      std::abort();
    }
  }
  return 0;
}

std::vector<std::string> FuzzSeeds() {
  return {
      "CREATE SHARD s1 OPTIONS (HOST 'h:5432', HOST '[::1]:1', DBNAME E'd\\x41');",
      "ALTER SHARD s ADD HOST '/run:1'; DROP SHARD \"S\"\"x\"",
      "CREATE DISTRIBUTION d COLUMN TYPES bigint HASH, timestamp with time zone SHARDS (a, b)",
      "CREATE KEY RANGE r FROM -1.5e3, 'x', MINVALUE ROUTE TO s FOR DISTRIBUTION d;",
      "SPLIT KEY RANGE a FROM b BY $$q$$ -- c\n; UNITE KEY RANGE a WITH b /* x /* y */ */",
      "ALTER DISTRIBUTION d ATTACH TABLE s.t DISTRIBUTION KEY a, b",
      "CREATE REFERENCE TABLE t; DROP REFERENCE TABLE t; DROP DISTRIBUTION d",
      "EXPLAIN ROUTE SELECT $1, $q$ ; $q$ FROM t WHERE a = 0x1F;",
      "SHOW KEY RANGES WHERE shard = 's1' AND n = 4; SHOW server_version; SHOW TRANSACTION "
      "ISOLATION LEVEL",
      "KILL CLIENT 7; PAUSE SHARD s; RESUME; RELOAD; SHUTDOWN; HELP CREATE SHARD",
      "SET a.b TO 'x', y; RESET ALL; BEGIN; COMMIT; SELECT 1; SELECT pg_catalog.version(); DISCARD "
      "ALL",
      "SET x = 'a'\n'b'; SET TIME ZONE E'\\ud83d\\ude00'",
  };
}
