#include "router/lex/shape.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sharding/utf8.h"

namespace meridian {
namespace {

struct Made {
  bool ok = false;
  std::string shape;
  std::vector<Literal> literals;
};

Made Make(std::string_view text, bool standard_conforming_strings = true) {
  Made made;
  made.ok = MakeShape(text, standard_conforming_strings, &made.shape, &made.literals).has_value();
  return made;
}

// The shape of a text that has one.
std::string ShapeOf(std::string_view text) {
  const Made made = Make(text);
  EXPECT_TRUE(made.ok) << text;
  return made.shape;
}

TEST(Shape, FoldsLiteralsSpaceCommentsAndCase) {
  const std::string shape = ShapeOf("select a from t where k = 5");
  EXPECT_EQ(ShapeOf("SELECT  A\nFROM T/* x */WHERE k=77;"), shape);
  EXPECT_EQ(ShapeOf("select a from t where k = 5 ; ;-- end"), shape);
  EXPECT_EQ(ShapeOf("select a from t where(k)='x'"), ShapeOf("select a from t where (k) = 'a''b'"));
  EXPECT_EQ(ShapeOf("select 'a'\n'b'"), ShapeOf("select 'c'"));
  EXPECT_EQ(ShapeOf(""), ShapeOf(" ; -- nothing"));
}

TEST(Shape, KeepsApartWhatParsesApart) {
  const std::vector<std::string> texts = {
      "select a from t where k = 5",
      "select a from t where k = -5",
      "select a from t where k = 5.0",
      "select a from t where k = '5'",
      "select a from t where k = E'5'",
      "select a from t where k = b'1'",
      "select a from t where k = $1",
      "select a from t where k = $2",
      "select a from t where k = $$5$$",
      "select a from t where k = N'5'",
      "select a from t where k = n '5'",
      "select a from t where k = 3000000000",
      "select a from t where k = = 5",
      "select a from t where k == 5",
      "select a from t where k = 'a' 'b'",
      "select a from t where \"k\" = 5",
      "select a from t where \"K\" = 5",
      "select a from t where k = 5; select 1",
      "; select a from t where k = 5",
      "select afrom t where k = 5",
      "select a from t where k = 5::float(24)",
      "select a from t where k = 5::float(25)",
      "select a from t where k = \"5\"",
      "select a from t where \"k = 5\"",
  };
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_NE(ShapeOf(texts[i]), ShapeOf(texts[j])) << texts[i] << " / " << texts[j];
    }
  }
}

TEST(Shape, FoldsOnlyAsciiLetters) {
  EXPECT_NE(ShapeOf("select \xc3\x84"), ShapeOf("select \xc3\xa4"));
  EXPECT_EQ(ShapeOf("select A\xc3\xa4"), ShapeOf("select a\xc3\xa4"));
}

TEST(Shape, TellsWhereTheLiteralsAre) {
  const Made made = Make("select 1, 'a'\n'b', $1, float(3) -- 4");
  ASSERT_TRUE(made.ok);
  ASSERT_EQ(made.literals.size(), 3u);
  EXPECT_EQ(made.literals[0], (Literal{{7, 8}, LiteralKind::kInteger}));
  EXPECT_EQ(made.literals[1], (Literal{{10, 17}, LiteralKind::kString}));
  EXPECT_EQ(made.literals[2], (Literal{{29, 30}, LiteralKind::kInteger}));
}

TEST(Shape, TakesInTheUescapeClause) {
  const Made made = Make("select U&'!0061' /**/ uEscape '!', 2");
  ASSERT_TRUE(made.ok);
  ASSERT_EQ(made.literals.size(), 2u);
  EXPECT_EQ(made.literals[0], (Literal{{7, 33}, LiteralKind::kUnicodeString}));
  EXPECT_EQ(made.shape, ShapeOf("select U&'a', 5"));
  EXPECT_FALSE(Make("select U&\"!0061\" UESCAPE '!'").ok);
  EXPECT_FALSE(Make("select U&'!0061' UESCAPE").ok);
  EXPECT_FALSE(Make("select U&'!0061' UESCAPE 'ab'").ok);
  EXPECT_FALSE(Make("select U&'!0061' UESCAPE E'!'").ok);
}

TEST(Shape, RefusesWhatCannotBeRead) {
  for (const char* text : {"select 'a", "select \"\"", "select /*", "select $a$", "select \x01",
                           "select 1a", "select 'a' --\n'b'"}) {
    EXPECT_FALSE(Make(text).ok) << text;
  }
  EXPECT_FALSE(Make("select U&'a'", false).ok);
  EXPECT_TRUE(Make("select '\\''", false).ok);
  EXPECT_FALSE(Make("select '\\''", true).ok);
}

TEST(Shape, TellsWhereTheStatementStands) {
  std::string shape;
  std::vector<Literal> literals;
  const auto extent_of = [&](std::string_view text) {
    const auto extent = MakeShape(text, true, &shape, &literals);
    return extent ? std::string(text.substr(extent->begin, extent->size())) : "none";
  };
  EXPECT_EQ(extent_of("select 1"), "select 1");
  EXPECT_EQ(extent_of(" /* a */ ; select 'x;' -- b\n ; ; -- c"), "select 'x;'");
  EXPECT_EQ(extent_of("select U&'a' uescape '!' ;"), "select U&'a' uescape '!'");
  EXPECT_EQ(extent_of(" ; -- nothing"), "");
  EXPECT_EQ(extent_of("select 'a"), "none");
}

TEST(Shape, CanBeReadWithoutItsValues) {
  EXPECT_EQ(ReadableShape("ALTER ROLE app PASSWORD 'secret';", true), "alter role app password ?");
  EXPECT_EQ(
      ReadableShape("select \"A\", $1 from t where k = -3000000000 and s = $$x$$ -- why", true),
      "select \"A\" , $1 from t where k = - ? and s = ?");
  EXPECT_EQ(ReadableShape("select 'a", true), "");
  std::string longest = "select 1";
  for (int i = 0; i < 1000; ++i) longest += ", \"\u00e9\"";
  const std::string cut = ReadableShape(longest, true);
  EXPECT_LE(cut.size(), 1000u);
  EXPECT_TRUE(cut.ends_with("..."));
  EXPECT_TRUE(IsValidText(cut));
}

TEST(Shape, HasRoomForTheWorstText) {
  for (const char* part : {",", "1 ", "n''", "float(1)", "'' ", "a "}) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += part;
    EXPECT_LE(ShapeOf(text).size(), 2 * text.size() + 8) << part;
  }
}

}  // namespace
}  // namespace meridian
