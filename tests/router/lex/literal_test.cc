#include "router/lex/literal.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "router/lex/shape.h"

namespace meridian {
namespace {

// The value of the only literal in `text`; "?" where it is not certain.
std::string Decode(std::string_view text, bool standard_conforming_strings = true) {
  std::string shape;
  std::vector<Literal> literals;
  if (!MakeShape(text, standard_conforming_strings, &shape, &literals) || literals.size() != 1) {
    return "not one literal";
  }
  std::string scratch;
  const auto value = DecodeLiteral(text, literals[0], standard_conforming_strings, &scratch);
  return value.has_value() ? std::string(*value) : "?";
}

TEST(Literal, GivesNumbersAsWritten) {
  EXPECT_EQ(Decode("-42"), "42");
  EXPECT_EQ(Decode("007"), "007");
  EXPECT_EQ(Decode("4.2e1"), "4.2e1");
}

TEST(Literal, DecodesStrings) {
  EXPECT_EQ(Decode("''"), "");
  EXPECT_EQ(Decode("'a\\b'"), "a\\b");
  EXPECT_EQ(Decode("'it''s'"), "it's");
  EXPECT_EQ(Decode("''''"), "'");
  EXPECT_EQ(Decode("'a' \n 'b'''\n'c'"), "ab'c");
  EXPECT_EQ(Decode("N'x'"), "x");
  EXPECT_EQ(Decode("$$it's$$"), "it's");
  EXPECT_EQ(Decode("$t$$$\n$t$"), "$$\n");
  EXPECT_EQ(Decode("$$$$"), "");
}

TEST(Literal, DecodesEscapes) {
  EXPECT_EQ(Decode("E'plain'"), "plain");
  EXPECT_EQ(Decode("e'\\b\\f\\n\\r\\t\\\\\\q\\v'"), "\b\f\n\r\t\\qv");
  EXPECT_EQ(Decode("E'\\101\\1012\\x41\\x4g\\xg'"), "AA2A\x04gxg");
  EXPECT_EQ(Decode("E'\\u0041\\U00000042'"), "AB");
  EXPECT_EQ(Decode("E'a''b\\n'\n'\\t'"), "a'b\n\t");
  EXPECT_EQ(Decode("E'\\xc3\\xa4'"), "\xc3\xa4");
  EXPECT_EQ(Decode("'a\\nb'", false), "a\nb");
}

TEST(Literal, DecodesUnicodeStrings) {
  EXPECT_EQ(Decode("U&'d\\0061t\\+000061\\\\'"), "data\\");
  EXPECT_EQ(Decode("u&'it''s'"), "it's");
}

TEST(Literal, LeavesToTheServerWhatOnlyTheServerCanTell) {
  for (const char* text : {"b'01'", "x'1F'", "E'\\u00e4'", "E'\\U0001F600'", "U&'\\00e4'",
                           "E'\\000'", "E'\\x0'", "E'\\u0000'", "E'\\400'", "E'\\u12'", "U&'\\12'",
                           "U&'\\'", "E'\\''", "U&'a' UESCAPE '!'"}) {
    EXPECT_EQ(Decode(text), "?") << text;
  }
  EXPECT_EQ(Decode("'\\''", false), "?");
}

TEST(Literal, RefusesARangeThatIsNotOne) {
  std::string scratch;
  for (const TextRange range :
       {TextRange{0, 9}, TextRange{2, 1}, TextRange{0, 1}, TextRange{1, 1}}) {
    EXPECT_EQ(DecodeLiteral("'a", {range, LiteralKind::kString}, true, &scratch), std::nullopt);
    EXPECT_EQ(DecodeLiteral("'a", {range, LiteralKind::kDollarString}, true, &scratch),
              std::nullopt);
  }
}

}  // namespace
}  // namespace meridian
