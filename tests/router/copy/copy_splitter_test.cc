#include "router/copy/copy_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/router/copy/copy_testing.h"

namespace meridian {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

CopySpec Text(size_t key_field = 0) {
  CopySpec spec;
  spec.key_fields = {key_field};
  spec.field_count = 2;
  return spec;
}

CopySpec Csv(size_t key_field = 0) {
  CopySpec spec = Text(key_field);
  spec.format = CopyFormat::kCsv;
  spec.delimiter = ',';
  spec.null_text = "";
  return spec;
}

CopySpec Binary() {
  CopySpec spec = Text();
  spec.format = CopyFormat::kBinary;
  return spec;
}

// By every way to cut the data into equal chunks; all must agree.
SplitResult Split(const CopySpec& spec, std::string_view data) {
  const SplitResult whole = SplitCopy(spec, BigintMap(), data);
  for (size_t chunk = 1; chunk <= data.size(); ++chunk) {
    const SplitResult cut = SplitCopy(spec, BigintMap(), data, chunk);
    EXPECT_EQ(cut.status, whole.status) << "in chunks of " << chunk;
    EXPECT_EQ(cut.header, whole.header) << "in chunks of " << chunk;
    if (!whole.status.ok()) continue;
    EXPECT_EQ(cut.by_shard, whole.by_shard) << "in chunks of " << chunk;
    EXPECT_EQ(cut.rows, whole.rows) << "in chunks of " << chunk;
  }
  return whole;
}

std::string Error(const CopySpec& spec, std::string_view data) {
  const SplitResult result = Split(spec, data);
  if (result.status.ok()) return "no error";
  return result.sqlstate() + ": " + ToSqlError(result.status).message;
}

TEST(CopyText, SendsEachRowToItsShard) {
  const SplitResult result = Split(Text(), "1\ta\n150\tb\n2\tc\n-5\td\n900\te\n");
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(result.by_shard, ElementsAre(Pair(0, "1\ta\n2\tc\n-5\td\n"), Pair(1, "150\tb\n"),
                                           Pair(2, "900\te\n")));
  EXPECT_EQ(result.rows, 5u);
  EXPECT_EQ(result.header, "");
  EXPECT_EQ(result.trailer, "");
}

TEST(CopyText, JoinsAdjacentRowsOfAShard) {
  CopySplitter splitter(Text(), BigintMap(), ClientEncoding::kUtf8);
  std::vector<CopySplitter::Piece> pieces;
  ASSERT_TRUE(splitter.Feed("1\ta\n2\tb\n150\tc\n3\td\n", &pieces).ok());
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].bytes, "1\ta\n2\tb\n");
}

TEST(CopyText, FindsTheKeyInAnyField) {
  EXPECT_THAT(Split(Text(1), "a\t1\nb\t150\n").by_shard,
              ElementsAre(Pair(0, "a\t1\n"), Pair(1, "b\t150\n")));
  EXPECT_THAT(Split(Text(1), "a\\\tb\t150\n\\N\t1\n").by_shard,
              ElementsAre(Pair(0, "\\N\t1\n"), Pair(1, "a\\\tb\t150\n")));
}

// Two shards: below "é" (C3 A9 in UTF-8), and the rest.
std::shared_ptr<const ShardMap> TextMap() {
  return MapOf({{KeyType::kText, false}}, {KeyTuple{KeyValue(std::string("\xc3\xa9"))}});
}

TEST(CopyEncoding, AKeyIsLocatedByItsUtf8) {
  CopySpec spec = Text();
  spec.encoding = ClientEncoding::kLatin1;
  EXPECT_THAT(SplitCopy(spec, TextMap(), "\xe8\t1\n\xe9\t2\n").by_shard,
              ElementsAre(Pair(0, "\xe8\t1\n"), Pair(1, "\xe9\t2\n")));
  // Escapes are bytes of the database's encoding.
  EXPECT_THAT(SplitCopy(spec, TextMap(), "\\xc3\\xa8\t1\n").by_shard,
              ElementsAre(Pair(0, "\\xc3\\xa8\t1\n")));
  // The NULL string is in the encoding of the statement, which is UTF-8 here.
  spec.null_text = "\xc3\xa8";
  EXPECT_EQ(SplitCopy(spec, TextMap(), "\xe8\t1\n").sqlstate(), "23502");
}

TEST(CopyEncoding, AKeyThatCannotBeConvertedIsRefused) {
  CopySpec spec = Text();
  spec.encoding = ClientEncoding::kEucJp;
  EXPECT_EQ(SplitCopy(spec, TextMap(), "\xa4\xa2\t1\n").sqlstate(), "0A000");
  EXPECT_THAT(SplitCopy(spec, TextMap(), "a\t\xa4\xa2\n").by_shard,
              ElementsAre(Pair(0, "a\t\xa4\xa2\n")));
}

TEST(CopyText, KeepsAnEscapedNewlineInTheRow) {
  EXPECT_THAT(Split(Text(), "1\ta\\\n150\tb\n150\tc\n").by_shard,
              ElementsAre(Pair(0, "1\ta\\\n150\tb\n"), Pair(1, "150\tc\n")));
  EXPECT_THAT(Split(Text(), "1\ta\\\\\n150\tb\n").by_shard,
              ElementsAre(Pair(0, "1\ta\\\\\n"), Pair(1, "150\tb\n")));
}

TEST(CopyText, DecodesEscapesInTheKey) {
  EXPECT_THAT(Split(Text(), "\\61\\x35\\060\ta\n\\t1\tc\n").by_shard,
              ElementsAre(Pair(0, "\\t1\tc\n"), Pair(1, "\\61\\x35\\060\ta\n")));
}

TEST(CopyText, TakesALastRowWithoutNewline) {
  EXPECT_THAT(Split(Text(), "1\ta\n150\tb").by_shard,
              ElementsAre(Pair(0, "1\ta\n"), Pair(1, "150\tb")));
  EXPECT_THAT(Split(Text(), "1\ta\\").by_shard, ElementsAre(Pair(0, "1\ta\\")));
  EXPECT_TRUE(Split(Text(), "").by_shard.empty());
}

TEST(CopyText, StopsAtTheEndMarker) {
  EXPECT_THAT(Split(Text(), "1\ta\n\\.\n150\tb\nnonsense").by_shard,
              ElementsAre(Pair(0, "1\ta\n")));
  EXPECT_THAT(Split(Text(), "1\ta\n2\tb\\.\n150\tb\n").by_shard,
              ElementsAre(Pair(0, "1\ta\n2\tb")));
  EXPECT_THAT(Split(Text(), "1\ta\r\n\\.\r\n150\tb\r\n").by_shard,
              ElementsAre(Pair(0, "1\ta\r\n")));
  EXPECT_THAT(Error(Text(), "1\ta\n\\.x\n"), HasSubstr("22P04: end-of-copy marker corrupt"));
  EXPECT_THAT(Error(Text(), "1\ta\n\\.\r\n"),
              HasSubstr("22P04: end-of-copy marker does not match previous newline style"));
  EXPECT_THAT(Error(Text(), "1\ta\r\n\\.\n"),
              HasSubstr("22P04: end-of-copy marker does not match previous newline style"));
}

TEST(CopyText, FollowsTheNewlineStyleOfTheFirstLine) {
  EXPECT_THAT(Split(Text(), "1\ta\r\n150\tb\r\n").by_shard,
              ElementsAre(Pair(0, "1\ta\r\n"), Pair(1, "150\tb\r\n")));
  EXPECT_THAT(Split(Text(), "1\ta\r150\tb\r").by_shard,
              ElementsAre(Pair(0, "1\ta\r"), Pair(1, "150\tb\r")));
  EXPECT_THAT(Error(Text(), "1\ta\n150\tb\r"),
              HasSubstr("22P04: literal carriage return found in data (COPY data, line 2)"));
  EXPECT_THAT(Error(Text(), "1\ta\n150\tb\r\n"), HasSubstr("literal carriage return"));
  EXPECT_THAT(Error(Text(), "1\ta\r\n150\tb\n"), HasSubstr("literal newline"));
  EXPECT_THAT(Error(Text(), "1\ta\r\n150\tb\rc\r\n"), HasSubstr("literal carriage return"));
  EXPECT_THAT(Error(Text(), "1\ta\r150\tb\n"), HasSubstr("literal newline"));
}

TEST(CopyText, RefusesAKeyThatIsNone) {
  EXPECT_THAT(Error(Text(), "1\ta\n\\N\tb\n"), HasSubstr("23502: "));
  EXPECT_THAT(Error(Text(), "1\ta\n\\N\tb\n"), HasSubstr("line 2"));
  EXPECT_THAT(Error(Text(), "1\ta\n\n"), HasSubstr("22P02: invalid input syntax for type bigint"));
  EXPECT_THAT(Error(Text(1), "1\n"), HasSubstr("22P04: missing data"));
  EXPECT_THAT(Error(Text(), "0x10\tb\n"), HasSubstr("0A000: "));
}

TEST(CopyText, KnowsTheOptions) {
  CopySpec spec = Text();
  spec.delimiter = '|';
  spec.null_text = "none";
  spec.header = true;
  const SplitResult result = Split(spec, "id|x\n1|a\n150|b\n");
  EXPECT_EQ(result.header, "id|x\n");
  EXPECT_THAT(result.by_shard, ElementsAre(Pair(0, "1|a\n"), Pair(1, "150|b\n")));
  EXPECT_THAT(Error(spec, "id|x\nnone|a\n"), HasSubstr("23502"));
  EXPECT_TRUE(Split(spec, "id|x").by_shard.empty());
}

TEST(CopyText, LocatesACompositeKey) {
  CopySpec spec;
  spec.key_fields = {2, 0};
  spec.field_count = 3;
  const auto map = MapOf({{KeyType::kText, false}, {KeyType::kInteger, false}},
                         {KeyTuple{KeyValue(std::string("m")), KeyValue(int64_t{10})}});
  const SplitResult result = SplitCopy(spec, map, "9\tx\tm\n10\tx\tm\n1\tx\t\\x7a\n1\tx\ta\n");
  EXPECT_THAT(result.by_shard,
              ElementsAre(Pair(0, "9\tx\tm\n1\tx\ta\n"), Pair(1, "10\tx\tm\n1\tx\t\\x7a\n")));
}

TEST(CopyCsv, SplitsPlainAndQuotedRows) {
  EXPECT_THAT(Split(Csv(), "1,a\n\"150\",b\n\"1\"\"\",x\n").sqlstate(), "22P02");
  EXPECT_THAT(Split(Csv(), "1,a\n\"150\",b\n1\"5\"0,c\n").by_shard,
              ElementsAre(Pair(0, "1,a\n"), Pair(1, "\"150\",b\n1\"5\"0,c\n")));
  EXPECT_THAT(Split(Csv(1), "\"a,7\",150\n\"b\"\"\n7\",1\n").by_shard,
              ElementsAre(Pair(0, "\"b\"\"\n7\",1\n"), Pair(1, "\"a,7\",150\n")));
}

TEST(CopyCsv, KeepsQuotedNewlinesInTheRow) {
  EXPECT_THAT(Split(Csv(), "1,\"a\n\r150,b\"\n150,\"\n\"\n").by_shard,
              ElementsAre(Pair(0, "1,\"a\n\r150,b\"\n"), Pair(1, "150,\"\n\"\n")));
  EXPECT_THAT(Error(Csv(), "0,z\n1,\"a\nb\"\nx,y\n"), HasSubstr("line 4"));
}

TEST(CopyCsv, KnowsAnotherEscape) {
  CopySpec spec = Csv();
  spec.quote = '\'';
  spec.escape = '\\';
  EXPECT_THAT(Split(spec, "1,'a\\'\n150,b'\n150,'\\\\'\n").by_shard,
              ElementsAre(Pair(0, "1,'a\\'\n150,b'\n"), Pair(1, "150,'\\\\'\n")));
  EXPECT_THAT(Split(spec, "1,a\\'b\nc'\n150,x\n").by_shard,
              ElementsAre(Pair(0, "1,a\\'b\nc'\n"), Pair(1, "150,x\n")));
  EXPECT_EQ(Split(spec, "'1\\0',a\n").sqlstate(), "22P02");
}

TEST(CopyCsv, TellsNullFromTheEmptyString) {
  EXPECT_EQ(Split(Csv(), ",a\n").sqlstate(), "23502");
  EXPECT_EQ(Split(Csv(), "\"\",a\n").sqlstate(), "22P02");
  CopySpec spec = Csv();
  spec.null_text = "7";
  EXPECT_EQ(Split(spec, "7,a\n").sqlstate(), "23502");
  EXPECT_EQ(Split(spec, "\"7\",a\n").sqlstate(), "");
  spec.force_null = {true};
  EXPECT_EQ(Split(spec, "\"7\",a\n").sqlstate(), "23502");
  spec.force_not_null = {true};
  EXPECT_EQ(Split(spec, "7,a\n").sqlstate(), "");
}

TEST(CopyCsv, TakesTheEndMarkerOnlyAloneOnALine) {
  EXPECT_THAT(Split(Csv(), "1,a\n\\.\n150,b\n").by_shard, ElementsAre(Pair(0, "1,a\n")));
  EXPECT_THAT(Split(Csv(1), "\\.,1\n\\.x,150\n").by_shard,
              ElementsAre(Pair(0, "\\.,1\n"), Pair(1, "\\.x,150\n")));
  EXPECT_THAT(Split(Csv(1), "a\\.,1\n\"\n\\.\n\",150\n").by_shard,
              ElementsAre(Pair(0, "a\\.,1\n"), Pair(1, "\"\n\\.\n\",150\n")));
  EXPECT_THAT(Error(Csv(), "1,a\n\\.\r\n"), HasSubstr("does not match previous newline style"));
}

TEST(CopyCsv, RefusesWhatIsNotTerminated) {
  EXPECT_THAT(Error(Csv(), "1,a\n\"150,b\n"), HasSubstr("22P04: unterminated CSV quoted field"));
  EXPECT_THAT(Error(Csv(), "1,a\n150,b\r\n"), HasSubstr("unquoted carriage return"));
  EXPECT_THAT(Error(Csv(), "1,a\r\n150,b\n"), HasSubstr("unquoted newline"));
}

TEST(CopyCsv, GivesTheHeaderLine) {
  CopySpec spec = Csv();
  spec.header = true;
  const SplitResult result = Split(spec, "\"i\nd\",x\r\n1,a\r\n150,b\r\n");
  EXPECT_EQ(result.header, "\"i\nd\",x\r\n");
  EXPECT_THAT(result.by_shard, ElementsAre(Pair(0, "1,a\r\n"), Pair(1, "150,b\r\n")));
}

TEST(CopyCsv, RefusesAQuoteThatLinesDependOn) {
  for (const char quote : {'\n', '\r', '\\'}) {
    CopySpec spec = Csv();
    spec.quote = quote;
    EXPECT_EQ(SplitCopy(spec, BigintMap(), "1,a\n").sqlstate(), "0A000");
  }
  CopySpec spec = Csv();
  spec.escape = '\n';
  EXPECT_EQ(SplitCopy(spec, BigintMap(), "1,a\n").sqlstate(), "0A000");
}

std::string Int32(int32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

std::string Int16(int16_t value) { return Int32(value).substr(2); }

std::string BinaryHeader(int32_t flags = 0, const std::string& extension = "") {
  return std::string("PGCOPY\n\377\r\n\0", 11) + Int32(flags) + Int32(extension.size()) + extension;
}

std::string BinaryRow(int64_t key, const std::string& value) {
  return Int16(2) + Int32(8) + Int32(static_cast<int32_t>(key >> 32)) +
         Int32(static_cast<int32_t>(key)) + Int32(value.size()) + value;
}

TEST(CopyBinary, SplitsTuples) {
  const std::string one = BinaryRow(1, "a"), two = BinaryRow(150, ""), three = BinaryRow(-1, "\n");
  const SplitResult result =
      Split(Binary(), BinaryHeader(5, "ext") + one + two + three + Int16(-1));
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.header, BinaryHeader(5, "ext"));
  EXPECT_EQ(result.trailer, Int16(-1));
  EXPECT_THAT(result.by_shard, ElementsAre(Pair(0, one + three), Pair(1, two)));
  EXPECT_EQ(result.rows, 3u);
}

TEST(CopyBinary, NeedsNoTrailer) {
  const std::string data = BinaryHeader() + BinaryRow(1, "a");
  EXPECT_EQ(Split(Binary(), data).rows, 1u);
  EXPECT_EQ(Split(Binary(), data + "\x01").rows, 1u);
}

TEST(CopyBinary, RefusesBadData) {
  const std::string header = BinaryHeader();
  const std::string row = BinaryRow(1, "a");
  for (const std::string& data : {std::string(), std::string("PGCOPY\n"), header.substr(0, 14),
                                  header.substr(0, 18), "x" + header, BinaryHeader(1 << 16) + row,
                                  BinaryHeader(1 << 20) + row, BinaryHeader(0, "abc").substr(0, 21),
                                  header + Int16(3), header + Int16(-2), header + row.substr(0, 12),
                                  header + Int16(2) + Int32(-2), header + row + Int16(-1) + "x"}) {
    EXPECT_EQ(Split(Binary(), data).sqlstate(), "22P04");
  }
  EXPECT_EQ(Split(Binary(), header + Int16(2) + Int32(-1) + Int32(-1)).sqlstate(), "23502");
  EXPECT_EQ(Split(Binary(), header + Int16(2) + Int32(4) + Int32(7) + Int32(-1)).sqlstate(),
            "22P03");
  EXPECT_EQ(SplitCopy(Binary(), BigintMap(), header + Int16(2) + Int32(1 << 30)).sqlstate(),
            "54000");
  EXPECT_EQ(Split(Binary(), header.substr(0, 15) + Int32(1 << 30)).sqlstate(), "54000");
  EXPECT_EQ(Split(Binary(), header.substr(0, 15) + Int32(-1)).sqlstate(), "22P04");
}

TEST(CopySplitter, RefusesARowWithoutEnd) {
  CopySplitter splitter(Text(), BigintMap(), ClientEncoding::kUtf8);
  const std::string chunk(8 << 20, 'x');
  std::vector<CopySplitter::Piece> pieces;
  absl::Status status = splitter.Feed("1\t", &pieces);
  for (int i = 0; i < 9 && status.ok(); ++i) status = splitter.Feed(chunk, &pieces);
  EXPECT_EQ(ToSqlError(status).sqlstate, "54000");
}

TEST(CopySplitter, ReadsALongRowOfManyChunksOnce) {
  CopySplitter splitter(Csv(1), BigintMap(), ClientEncoding::kUtf8);
  std::vector<CopySplitter::Piece> pieces;
  ASSERT_TRUE(splitter.Feed("\"", &pieces).ok());
  for (int i = 0; i < 2000000; ++i) ASSERT_TRUE(splitter.Feed("\n,a", &pieces).ok());
  ASSERT_TRUE(splitter.Feed("\",150\n", &pieces).ok());
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].bytes.size(), 6000007u);
}

TEST(CopySplitter, TakesLinearTimeOnHostileRows) {
  std::string escapes;
  for (int i = 0; i < 4 << 20; ++i) escapes += "\\\\";
  EXPECT_EQ(SplitCopy(Text(1), BigintMap(), escapes + "\t150\n").rows, 1u);
  std::string quotes;
  for (int i = 0; i < 4 << 20; ++i) quotes += "\"\"";
  EXPECT_EQ(SplitCopy(Csv(1), BigintMap(), quotes + ",150\n").rows, 1u);
}

TEST(CopySplitter, RefusesADistributionWithoutRanges) {
  auto distribution = Distribution::Build("d", {{KeyType::kBigint, false}}, {});
  ASSERT_TRUE(distribution.ok());
  const auto map =
      ShardMap::Build(Epoch{1}, {{"s0", {{"localhost", 5432}}, ""}}, {*distribution}, {});
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(SplitCopy(Text(), *map, "1\ta\n").sqlstate(), "55000");
}

}  // namespace
}  // namespace meridian
