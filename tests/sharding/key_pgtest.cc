// Reading, printing and ordering keys against PostgreSQL.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sharding/key_value.h"
#include "sharding/quote.h"
#include "sharding/sql_status.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/random_keys.h"

namespace meridian {
namespace {

constexpr int kRandomValues = 4000;

// The value's canonical text, or "!" and the SQLSTATE of the input function.
constexpr char kReadFunction[] = R"sql(
create function read(type text, input text) returns text language plpgsql as $$
declare result text;
begin
  execute format('select %s from (select %L::%s as v) s',
                 case type when 'numeric' then 'trim_scale(v)::text' else 'v::text' end,
                 input, type) into result;
  return result;
exception when others then
  return '!' || sqlstate;
end $$)sql";

class Key : public ::testing::TestWithParam<KeyType> {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new PgCluster;
    cluster_->Connect().Query(kReadFunction);
  }
  static void TearDownTestSuite() {
    delete cluster_;
    cluster_ = nullptr;
  }

  void SetUp() override { connection_.Query("set timezone = 'UTC'"); }

  static std::string Type() { return std::string(KeyTypeName(GetParam())); }

  // Our reading of each text that we claim to know, beside the server's.
  void ExpectSameReading(const std::vector<std::string>& texts) {
    std::string list;
    std::vector<std::pair<std::string, std::string>> ours;
    for (const std::string& text : texts) {
      const absl::StatusOr<KeyValue> value = ParseKeyText(GetParam(), text);
      if (value.status().code() == absl::StatusCode::kUnimplemented) continue;
      list += fmt::format("{}({},{})", ours.empty() ? "" : ",", ours.size(), QuoteLiteral(text));
      ours.emplace_back(text, value.ok() ? FormatKey(GetParam(), *value)
                                         : "!" + ToSqlError(value.status()).sqlstate);
    }
    ASSERT_FALSE(ours.empty());
    const PgRows rows = connection_.Query(
        fmt::format("select read('{}', t) from (values {}) v(i, t) order by i", Type(), list));
    for (size_t i = 0; i < ours.size(); ++i) {
      ASSERT_EQ(ours[i].second, rows.at(i, 0)) << "'" << ours[i].first << "'";
    }
  }

  Connection connection_ = cluster_->Connect();

 private:
  static PgCluster* cluster_;
};

PgCluster* Key::cluster_ = nullptr;

std::vector<std::string> RandomTexts(KeyType type, int count) {
  Random random(42);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back(RandomKeyText(type, random));
  return texts;
}

TEST_P(Key, KnowsEachEdgeValue) {
  for (const std::string& text : EdgeKeyTexts(GetParam())) {
    EXPECT_TRUE(ParseKeyText(GetParam(), text).ok()) << text;
  }
  ExpectSameReading(EdgeKeyTexts(GetParam()));
}

TEST_P(Key, ReadsRandomValuesLikeTheServer) {
  ExpectSameReading(RandomTexts(GetParam(), kRandomValues));
}

TEST_P(Key, ReadsMutatedInputLikeTheServer) {
  Random random(4242);
  std::vector<std::string> texts;
  for (const std::string& text : EdgeKeyTexts(GetParam())) {
    if (text.size() > 1000) continue;
    for (int i = 0; i < 100; ++i) texts.push_back(Mutated(text, random));
  }
  for (const std::string& text : RandomTexts(GetParam(), kRandomValues)) {
    texts.push_back(Mutated(text, random));
  }
  ExpectSameReading(texts);
}

// Fields on both sides of every limit.
std::string NearTheCalendarsEdges(KeyType type, Random& random) {
  constexpr int kYears[] = {0,      1,      4,      5,       100,     400,     1900,
                            2000,   2023,   2024,   4713,    4714,    4715,    10000,
                            294276, 294277, 294278, 5874897, 5874898, 5874899, 9999999};
  const auto below = [&random](int end) { return static_cast<int>(random() % end); };
  std::string text = fmt::format("{:04}-{:02}-{:02}", kYears[below(std::size(kYears))], below(14),
                                 below(4) == 0 ? below(33) : 20 + below(10));
  if (type != KeyType::kDate) {
    text += fmt::format("{}{:02}:{:02}", below(2) == 0 ? ' ' : 'T', below(26), below(61));
    if (below(3) != 0) text += fmt::format(":{:02}", below(62));
    if (below(2) == 0) text += fmt::format("{:+03}:{:02}", below(34) - 17, below(62));
  }
  return text + (below(2) == 0 ? " BC" : "");
}

TEST_P(Key, ReadsTheCalendarsEdgesLikeTheServer) {
  if (!EdgeKeyTexts(GetParam())[0].starts_with("2000-01-01")) return;  // no date, no timestamp
  Random random(99);
  std::vector<std::string> texts;
  for (int i = 0; i < 20'000; ++i) texts.push_back(NearTheCalendarsEdges(GetParam(), random));
  ExpectSameReading(texts);
}

// What a session sets must not change the meaning of a text that we claim to know.
TEST_P(Key, MeansTheSameUnderOtherSettings) {
  connection_.Query(
      "set timezone = 'Asia/Kolkata'; set bytea_output = 'escape'; set extra_float_digits = 0");
  std::vector<std::string> texts = EdgeKeyTexts(GetParam());
  for (const std::string& text : RandomTexts(GetParam(), kRandomValues)) texts.push_back(text);
  std::string list;
  for (const std::string& text : texts) {
    const absl::StatusOr<KeyValue> value = ParseKeyText(GetParam(), text);
    ASSERT_TRUE(value.ok()) << text;
    list += fmt::format("{}({},{})", list.empty() ? "" : ",", QuoteLiteral(text),
                        QuoteLiteral(FormatKey(GetParam(), *value)));
  }
  for (const char* style : {"German, DMY", "SQL, MDY", "Postgres, YMD"}) {
    connection_.Query(fmt::format("set datestyle = '{}'", style));
    const PgRows wrong = connection_.Query(
        fmt::format("select a, b from (values {}) v(a, b) where a::{} is distinct from b::{}", list,
                    Type(), Type()));
    EXPECT_EQ(wrong.size(), 0u) << wrong.at(0, 0) << " read as " << wrong.at(0, 1);
  }
}

TEST_P(Key, OrdersLikeTheServer) {
  std::vector<std::string> texts = EdgeKeyTexts(GetParam());
  for (const std::string& text : RandomTexts(GetParam(), 400)) texts.push_back(text);
  std::string list;
  std::vector<KeyValue> values;
  for (const std::string& text : texts) {
    list += fmt::format("{}({},{})", list.empty() ? "" : ",", values.size(), QuoteLiteral(text));
    values.push_back(*ParseKeyText(GetParam(), text));
  }
  const PgRows rows = connection_.Query(fmt::format(
      "select dense_rank() over (order by t::{} {}) from (values {}) v(i, t) order by i", Type(),
      GetParam() == KeyType::kText ? "collate \"C\"" : "", list));
  const auto sign = [](int64_t number) { return (number > 0) - (number < 0); };
  std::vector<int64_t> ranks;
  for (size_t i = 0; i < rows.size(); ++i) ranks.push_back(std::stoll(rows.at(i, 0)));
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t j = 0; j < values.size(); ++j) {
      ASSERT_EQ(sign(Compare(values[i], values[j])), sign(ranks[i] - ranks[j]))
          << texts[i] << " and " << texts[j];
    }
  }
}

std::string Unhex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string_view SendFunction(KeyType type) {
  switch (type) {
    case KeyType::kSmallint:
      return "int2send";
    case KeyType::kInteger:
      return "int4send";
    case KeyType::kBigint:
      return "int8send";
    case KeyType::kText:
      return "textsend";
    case KeyType::kUuid:
      return "uuid_send";
    case KeyType::kDate:
      return "date_send";
    case KeyType::kTimestamp:
      return "timestamp_send";
    case KeyType::kTimestamptz:
      return "timestamptz_send";
    case KeyType::kBytea:
      return "byteasend";
    case KeyType::kNumeric:
      return "numeric_send";
  }
  return {};
}

TEST_P(Key, ReadsTheServersBinaryFormat) {
  std::vector<std::string> texts = EdgeKeyTexts(GetParam());
  for (const std::string& text : RandomTexts(GetParam(), 1000)) texts.push_back(text);
  std::string list;
  for (size_t i = 0; i < texts.size(); ++i) {
    list += fmt::format("{}({},{})", i == 0 ? "" : ",", i, QuoteLiteral(texts[i]));
  }
  const PgRows rows = connection_.Query(
      fmt::format("select encode({}(t::{}), 'hex') from (values {}) v(i, t) order by i",
                  SendFunction(GetParam()), Type(), list));
  for (size_t i = 0; i < texts.size(); ++i) {
    const absl::StatusOr<KeyValue> value = ParseKeyBinary(GetParam(), Unhex(rows.at(i, 0)));
    ASSERT_TRUE(value.ok()) << texts[i] << ": " << value.status();
    ASSERT_EQ(*value, *ParseKeyText(GetParam(), texts[i])) << texts[i];
  }
}

// Random bytes as a binary parameter: read as the server reads them, or refused by both.
TEST_P(Key, ReadsRandomBinaryLikeTheServer) {
  Random random(7);
  const std::string sql =
      fmt::format("select {} from (select $1::{} as v) s",
                  GetParam() == KeyType::kNumeric ? "trim_scale(v)::text" : "v::text", Type());
  for (int i = 0; i < 1500; ++i) {
    std::string bytes;
    constexpr size_t kLengths[] = {0, 2, 4, 8, 8, 10, 12, 16};
    const size_t length = kLengths[random() % std::size(kLengths)];
    for (size_t j = 0; j < length; ++j) bytes += static_cast<char>(random() >> 20);
    if (GetParam() == KeyType::kNumeric && length >= 8) {
      // A header that is often right, and digits near the limits.
      constexpr char kSigns[] = {0, 0x40, '\xC0', '\xD0', '\xF0', 1};
      bytes[0] = 0;
      bytes[1] = static_cast<char>((length - 8) / 2);
      bytes[2] = static_cast<char>(random() % 2 == 0 ? 0 : '\xFF');
      bytes[4] = kSigns[random() % std::size(kSigns)];
      bytes[5] = 0;
      bytes[6] = 0;
      for (size_t j = 8; j < length; j += 2) bytes[j] = static_cast<char>(random() % 0x28);
    }
    const absl::StatusOr<KeyValue> value = ParseKeyBinary(GetParam(), bytes);
    if (value.status().code() == absl::StatusCode::kUnimplemented) continue;
    const char* data = bytes.data();
    const int size = static_cast<int>(bytes.size());
    const int binary = 1;
    PGresult* result =
        PQexecParams(connection_.raw(), sql.c_str(), 1, nullptr, &data, &size, &binary, 0);
    const bool ok = PQresultStatus(result) == PGRES_TUPLES_OK;
    EXPECT_EQ(value.ok(), ok) << i << " " << PQerrorMessage(connection_.raw());
    if (ok && value.ok()) {
      EXPECT_EQ(FormatKey(GetParam(), *value), PQgetvalue(result, 0, 0)) << i;
    }
    PQclear(result);
    if (HasFailure()) break;
  }
}

std::string NameOf(const ::testing::TestParamInfo<KeyType>& info) {
  std::string name(KeyTypeName(info.param));
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Types, Key, ::testing::ValuesIn(kAllKeyTypes), NameOf);

TEST(KeyTypes, HaveTheServersOidsAndNames) {
  PgCluster cluster;
  Connection connection = cluster.Connect();
  const PgRows rows = connection.Query(
      "select oid, typname, format_type(oid, null) from pg_type where typtype = 'b'");
  int known = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto type = KeyTypeByOid(static_cast<uint32_t>(std::stoul(rows.at(i, 0))));
    EXPECT_EQ(KeyTypeByName(rows.at(i, 1)), type) << rows.at(i, 1);
    EXPECT_EQ(KeyTypeByName(rows.at(i, 2)), type) << rows.at(i, 2);
    if (!type) continue;
    ++known;
    if (rows.at(i, 1) != "varchar") {
      EXPECT_EQ(KeyTypeName(*type), rows.at(i, 2));
    }
  }
  EXPECT_EQ(known, 11);
}

}  // namespace
}  // namespace meridian
