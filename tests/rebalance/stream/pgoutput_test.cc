// Messages as the documentation describes them, cut everywhere and with garbage.
#include "rebalance/stream/pgoutput.h"

#include <gtest/gtest.h>

#include "sharding/sql_status.h"

namespace meridian::pgoutput {
namespace {

using namespace std::string_literals;

const std::string kBegin = "B\0\0\0\1\0\0\0\2________\0\0\0\5"s;
const std::string kCommit = "C\0\0\0\0\1\0\0\0\2\0\0\0\1\0\0\0\3\0\0\0\0\0\0\0\7"s;
const std::string kOrigin = "O\0\0\0\1\0\0\0\2meridian_7\0"s;
const std::string kRelation =
    "R\0\0\x40\1public\0orders\0d\0\2\1id\0\0\0\0\x17\xff\xff\xff\xff\0note\0\0\0\0\x19\xff\xff\xff\xff"s;
const std::string kInsert = "I\0\0\x40\1N\0\2t\0\0\0\4"s + "4711n";
const std::string kUpdate = "U\0\0\x40\1N\0\2t\0\0\0\1\x37u"s;
const std::string kUpdateOfKey = "U\0\0\x40\1K\0\2t\0\0\0\1\x37nN\0\2t\0\0\0\1\x38t\0\0\0\0"s;
const std::string kDelete = "D\0\0\x40\1K\0\2t\0\0\0\1\x37n"s;
const std::string kTruncate = "T\0\0\0\2\1\0\0\0\1\0\0\0\2"s;
const std::string kMessage = "M\1\0\0\0\0\0\0\0\x0cmeridian\0\0\0\0\5fence"s;

template <typename T>
T As(const std::string& bytes) {
  const auto event = Read(bytes);
  EXPECT_TRUE(event.ok()) << event.status();
  return std::get<T>(*event);
}

TEST(Pgoutput, ReadsTransactions) {
  EXPECT_EQ(As<Begin>(kBegin).commit_lsn, 0x100000002u);
  const auto commit = As<Commit>(kCommit);
  EXPECT_EQ(commit.commit_lsn, 0x100000002u);
  EXPECT_EQ(commit.end_lsn, 0x100000003u);
  EXPECT_EQ(commit.commit_time_us, 7);
  EXPECT_EQ(As<Origin>(kOrigin).name, "meridian_7");
  const auto message = As<Message>(kMessage);
  EXPECT_TRUE(message.transactional);
  EXPECT_EQ(message.lsn, 12u);
  EXPECT_EQ(message.prefix, "meridian");
  EXPECT_EQ(message.content, "fence");
  As<Ignored>("Yanything"s);
}

TEST(Pgoutput, ReadsChanges) {
  const auto relation = As<Relation>(kRelation);
  EXPECT_EQ(relation.id, 0x4001u);
  EXPECT_EQ(relation.schema, "public");
  EXPECT_EQ(relation.name, "orders");
  ASSERT_EQ(relation.columns.size(), 2u);
  EXPECT_TRUE(relation.columns[0].in_identity);
  EXPECT_EQ(relation.columns[1].name, "note");
  EXPECT_FALSE(relation.columns[1].in_identity);

  const auto insert = As<Insert>(kInsert);
  EXPECT_EQ(insert.relation, 0x4001u);
  ASSERT_EQ(insert.row.size(), 2u);
  EXPECT_EQ(insert.row[0].text, "4711");
  EXPECT_EQ(insert.row[1].kind, Value::Kind::kNull);

  const auto update = As<Update>(kUpdate);
  EXPECT_TRUE(update.old_row.empty());
  EXPECT_EQ(update.row[1].kind, Value::Kind::kUnchanged);
  const auto moved = As<Update>(kUpdateOfKey);
  EXPECT_EQ(moved.old_row[0].text, "7");
  EXPECT_EQ(moved.row[0].text, "8");
  EXPECT_EQ(moved.row[1].kind, Value::Kind::kText);
  EXPECT_EQ(moved.row[1].text, "");
  EXPECT_EQ(As<Delete>(kDelete).old_row[0].text, "7");
  EXPECT_EQ(As<Truncate>(kTruncate).relations, (std::vector<uint32_t>{1, 2}));
}

TEST(Pgoutput, RefusesWhatIsCutOrTooLong) {
  for (const std::string& bytes : {kBegin, kCommit, kOrigin, kRelation, kInsert, kUpdate,
                                   kUpdateOfKey, kDelete, kTruncate, kMessage}) {
    ASSERT_TRUE(Read(bytes).ok());
    for (size_t size = 0; size < bytes.size(); ++size) {
      const std::string copy = bytes.substr(0, size);  // of its own, for the sanitizer
      EXPECT_EQ(ToSqlError(Read(copy).status()).sqlstate, "08P01") << bytes[0] << size;
    }
    EXPECT_FALSE(Read(bytes + '\0').ok()) << bytes[0];
  }
}

TEST(Pgoutput, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(Read("Z"s).ok());
  EXPECT_FALSE(Read("I\0\0\0\1X\0\0"s).ok());
  EXPECT_FALSE(Read("I\0\0\0\1N\0\1b\0\0\0\1x"s).ok());     // a binary value
  EXPECT_FALSE(Read("I\0\0\0\1N\xff\xff"s).ok());           // columns that are not there
  EXPECT_FALSE(Read("T\xff\xff\xff\xff\0\0\0\0\1"s).ok());  // as many relations
  EXPECT_FALSE(Read("M\0\0\0\0\0\0\0\0\1p\0\xff\xff\xff\xffx"s).ok());
}

}  // namespace
}  // namespace meridian::pgoutput
