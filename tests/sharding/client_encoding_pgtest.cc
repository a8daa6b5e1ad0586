#include "sharding/client_encoding.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

// PostgreSQL: src/include/mb/pg_wchar.h, PG_ENCODING_BE_LAST.
constexpr int kLastOfDatabases = 34;

TEST(ClientEncoding, IsOneThatTheServerKnows) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  const PgRows rows = connection.Query(
      "select i, pg_encoding_to_char(i) from generate_series(0, 100) i "
      "where pg_encoding_to_char(i) <> ''");
  ASSERT_GT(rows.size(), 40u);
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto encoding = ClientEncodingByName(rows.at(i, 1));
    ASSERT_TRUE(encoding.has_value()) << rows.at(i, 1);
    EXPECT_EQ(EmbedsAscii(*encoding), std::stoi(rows.at(i, 0)) > kLastOfDatabases) << rows.at(i, 1);
  }
}

TEST(ClientEncoding, AliasesAreThoseOfTheServer) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  for (const char* alias :
       {"abc",          "alt",         "BIG-5",       "iso88591",     "ISO 8859-10", "iso885913",
        "iso885914",    "iso885915",   "iso885916",   "iso88592",     "iso88593",    "iso88594",
        "iso88595",     "iso88596",    "iso88597",    "iso88598",     "iso88599",    "koi8",
        "koi8r",        "mskanji",     "shiftjis",    "tcvn",         "tcvn5712",    "unicode",
        "vscii",        "win",         "win932",      "win936",       "win949",      "win950",
        "windows-1250", "windows1251", "windows1252", "windows1253",  "windows1254", "windows1255",
        "windows1256",  "windows1257", "windows1258", "windows866",   "windows874",  "windows932",
        "windows936",   "windows949",  "windows950",  "euc_jis_2004", "gb18030",     "nope",
        "latin",        "koi",         "win95"}) {
    const std::string name =
        connection.Value("select pg_encoding_to_char(pg_char_to_encoding($1))", {alias});
    EXPECT_EQ(ClientEncodingByName(alias), ClientEncodingByName(name)) << alias << " is " << name;
  }
}

TEST(ToUtf8, ConvertsAsTheServerDoes) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  for (int byte = 1; byte < 256; ++byte) {
    std::string scratch;
    EXPECT_EQ(ToUtf8(ClientEncoding::kLatin1, std::string(1, static_cast<char>(byte)), &scratch),
              connection.Value(
                  fmt::format("select convert_from(decode('{:02x}', 'hex'), 'LATIN1')", byte)));
  }
}

}  // namespace
}  // namespace meridian
