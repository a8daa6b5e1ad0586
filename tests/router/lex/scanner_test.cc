#include "router/lex/scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace meridian {
namespace {

using testing::ElementsAre;
using testing::Pair;

using Tokens = std::vector<std::pair<TokenKind, std::string>>;
using enum TokenKind;

Tokens Scan(std::string_view text, bool standard_conforming_strings = true) {
  Tokens tokens;
  Scanner scanner(text, standard_conforming_strings);
  for (;;) {
    const Token token = scanner.Next();
    if (token.kind == kEnd) return tokens;
    tokens.emplace_back(token.kind, text.substr(token.range.begin, token.range.size()));
    if (token.kind == kError) return tokens;
  }
}

bool Fails(std::string_view text, bool standard_conforming_strings = true) {
  const Tokens tokens = Scan(text, standard_conforming_strings);
  return !tokens.empty() && tokens.back().first == kError;
}

TEST(Scanner, ReadsAStatement) {
  EXPECT_THAT(Scan("SELECT a.b FROM \"T\" WHERE k=-5;"),
              ElementsAre(Pair(kWord, "SELECT"), Pair(kWord, "a"), Pair(kSymbol, "."),
                          Pair(kWord, "b"), Pair(kWord, "FROM"), Pair(kQuotedIdentifier, "\"T\""),
                          Pair(kWord, "WHERE"), Pair(kWord, "k"), Pair(kOperator, "="),
                          Pair(kOperator, "-"), Pair(kInteger, "5"), Pair(kSymbol, ";")));
}

TEST(Scanner, EndsAgainAndAgain) {
  Scanner scanner("", true);
  EXPECT_EQ(scanner.Next().kind, kEnd);
  EXPECT_EQ(scanner.Next().kind, kEnd);
  Scanner failing("a 'b", true);
  EXPECT_EQ(failing.Next().kind, kWord);
  EXPECT_EQ(failing.Next().kind, kError);
  const Token again = failing.Next();
  EXPECT_EQ(again.kind, kError);
  EXPECT_EQ(again.range.begin, 2u);
}

TEST(Scanner, SkipsSpaceAndNestedComments) {
  EXPECT_THAT(Scan(" \t\r\n\f/* a /* b */ ' */x--'\ny/*/**/*/"),
              ElementsAre(Pair(kWord, "x"), Pair(kWord, "y")));
  EXPECT_THAT(Scan("/*/ */x"), ElementsAre(Pair(kWord, "x")));
  EXPECT_THAT(Scan("/***/x--"), ElementsAre(Pair(kWord, "x")));
  EXPECT_TRUE(Fails("a /* /* */"));
  EXPECT_TRUE(Fails("/*/"));
  EXPECT_TRUE(Fails("a\vb"));
}

TEST(Scanner, ReadsIdentifiers) {
  EXPECT_THAT(
      Scan("_a$1 \xc3\xa4 \"a\"\"b\" U&\"x\" u &\"y\" uu&\"z\""),
      ElementsAre(Pair(kWord, "_a$1"), Pair(kWord, "\xc3\xa4"),
                  Pair(kQuotedIdentifier, "\"a\"\"b\""), Pair(kUnicodeIdentifier, "U&\"x\""),
                  Pair(kWord, "u"), Pair(kOperator, "&"), Pair(kQuotedIdentifier, "\"y\""),
                  Pair(kWord, "uu"), Pair(kOperator, "&"), Pair(kQuotedIdentifier, "\"z\"")));
  EXPECT_TRUE(Fails("\"\""));
  EXPECT_TRUE(Fails("\"a"));
  EXPECT_TRUE(Fails("U&\"\""));
}

TEST(Scanner, ReadsEachKindOfString) {
  EXPECT_THAT(Scan("'it''s' E'\\'' b'01' X'1f' U&'a' $$x$y$$ $t$ $$ $t$ N'n' ee'x'"),
              ElementsAre(Pair(kString, "'it''s'"), Pair(kEscapeString, "E'\\''"),
                          Pair(kBitString, "b'01'"), Pair(kBitString, "X'1f'"),
                          Pair(kUnicodeString, "U&'a'"), Pair(kDollarString, "$$x$y$$"),
                          Pair(kDollarString, "$t$ $$ $t$"), Pair(kNational, "N"),
                          Pair(kString, "'n'"), Pair(kWord, "ee"), Pair(kString, "'x'")));
}

TEST(Scanner, LetsAStringGoOnBehindANewline) {
  EXPECT_THAT(Scan("'a' \n\t'b'"), ElementsAre(Pair(kString, "'a' \n\t'b'")));
  EXPECT_THAT(Scan("E'a'\r'\\''x"),
              ElementsAre(Pair(kEscapeString, "E'a'\r'\\''"), Pair(kWord, "x")));
  EXPECT_THAT(Scan("b'0'\n'1'"), ElementsAre(Pair(kBitString, "b'0'\n'1'")));
  EXPECT_THAT(Scan("b'0''1'"), ElementsAre(Pair(kBitString, "b'0'"), Pair(kString, "'1'")));
  EXPECT_THAT(Scan("'a' 'b'"), ElementsAre(Pair(kString, "'a'"), Pair(kString, "'b'")));
  EXPECT_THAT(Scan("'a'\n-'b'"),
              ElementsAre(Pair(kString, "'a'"), Pair(kOperator, "-"), Pair(kString, "'b'")));
  EXPECT_THAT(Scan("'a'\n"), ElementsAre(Pair(kString, "'a'")));
  EXPECT_THAT(Scan("'a' -- 'b'"), ElementsAre(Pair(kString, "'a'")));
  EXPECT_TRUE(Fails("'a' --c\n'b'"));
  EXPECT_TRUE(Fails("'a'\n'b"));
}

TEST(Scanner, DependsOnStandardConformingStrings) {
  EXPECT_THAT(Scan("'a\\' c'", true),
              ElementsAre(Pair(kString, "'a\\'"), Pair(kWord, "c"), Pair(kError, "")));
  EXPECT_THAT(Scan("'a\\' c'", false), ElementsAre(Pair(kString, "'a\\' c'")));
  EXPECT_THAT(Scan("n'\\''", false), ElementsAre(Pair(kNational, "n"), Pair(kString, "'\\''")));
  EXPECT_TRUE(Fails("U&'a'", false));
  EXPECT_FALSE(Fails("U&\"a\"", false));
}

TEST(Scanner, RefusesWhatIsNotTerminated) {
  for (const char* text : {"'a", "'a''", "E'a\\'", "E'\\", "x'1", "$$a$", "$a$ $b$", "$a$ $a", "$a",
                           "$", "$ $", "N'"}) {
    EXPECT_TRUE(Fails(text)) << text;
  }
}

TEST(Scanner, ReadsNumbers) {
  EXPECT_THAT(Scan("1 1. .5 1.5 1e10 1.e-5 .5E+1 1..2 1.5.5"),
              ElementsAre(Pair(kInteger, "1"), Pair(kNumeric, "1."), Pair(kNumeric, ".5"),
                          Pair(kNumeric, "1.5"), Pair(kNumeric, "1e10"), Pair(kNumeric, "1.e-5"),
                          Pair(kNumeric, ".5E+1"), Pair(kInteger, "1"), Pair(kOperator, ".."),
                          Pair(kInteger, "2"), Pair(kNumeric, "1.5"), Pair(kNumeric, ".5")));
  EXPECT_THAT(
      Scan("9223372036854775807 09223372036854775807 9223372036854775808"),
      ElementsAre(Pair(kInteger, "9223372036854775807"), Pair(kInteger, "09223372036854775807"),
                  Pair(kNumeric, "9223372036854775808")));
  for (const char* text :
       {"1a", "0x1F", "1_000", "1e", "1e+", "1.5e-", "1.a", "1e5x", "$1a", "1\xc3"}) {
    EXPECT_TRUE(Fails(text)) << text;
  }
}

TEST(Scanner, ReadsParametersAndDollarTags) {
  EXPECT_THAT(Scan("$12,$1$a$b$a$"),
              ElementsAre(Pair(kParameter, "$12"), Pair(kSymbol, ","), Pair(kParameter, "$1"),
                          Pair(kDollarString, "$a$b$a$")));
  EXPECT_THAT(Scan("$a$$ab$$a$"), ElementsAre(Pair(kDollarString, "$a$$ab$$a$")));
  EXPECT_THAT(Scan("a$b$c"), ElementsAre(Pair(kWord, "a$b$c")));
}

TEST(Scanner, CutsOperatorsAtCommentsAndTrailingSigns) {
  EXPECT_THAT(Scan("a=-1"), ElementsAre(Pair(kWord, "a"), Pair(kOperator, "="),
                                        Pair(kOperator, "-"), Pair(kInteger, "1")));
  EXPECT_THAT(Scan("@- *+-"), ElementsAre(Pair(kOperator, "@-"), Pair(kOperator, "*"),
                                          Pair(kOperator, "+"), Pair(kOperator, "-")));
  EXPECT_THAT(Scan("+-+"),
              ElementsAre(Pair(kOperator, "+"), Pair(kOperator, "-"), Pair(kOperator, "+")));
  EXPECT_THAT(Scan("<=/* c */>="), ElementsAre(Pair(kOperator, "<="), Pair(kOperator, ">=")));
  EXPECT_THAT(Scan("*--c\n/"), ElementsAre(Pair(kOperator, "*"), Pair(kOperator, "/")));
  EXPECT_THAT(Scan("a->>'b'"),
              ElementsAre(Pair(kWord, "a"), Pair(kOperator, "->>"), Pair(kString, "'b'")));
  EXPECT_TRUE(Fails(std::string(64, '@')));
  EXPECT_FALSE(Fails(std::string(63, '@')));
}

TEST(Scanner, ReadsPunctuation) {
  EXPECT_THAT(
      Scan("a::b:=c..d=>e[1:2]"),
      ElementsAre(Pair(kWord, "a"), Pair(kOperator, "::"), Pair(kWord, "b"), Pair(kOperator, ":="),
                  Pair(kWord, "c"), Pair(kOperator, ".."), Pair(kWord, "d"), Pair(kOperator, "=>"),
                  Pair(kWord, "e"), Pair(kSymbol, "["), Pair(kInteger, "1"), Pair(kSymbol, ":"),
                  Pair(kInteger, "2"), Pair(kSymbol, "]")));
  EXPECT_TRUE(Fails("{"));
  EXPECT_TRUE(Fails("\\"));
  EXPECT_TRUE(Fails(std::string_view("a\0b", 3)));
}

TEST(Scanner, TakesLinearTimeOnHostileText) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += "$a$b";
  EXPECT_FALSE(Fails(text + "$a$"));
  EXPECT_TRUE(Fails(std::string(1000000, '(') + "'"));
  std::string comments;
  for (int i = 0; i < 500000; ++i) comments += "/*";
  EXPECT_TRUE(Fails(comments));
  std::string parts;
  for (int i = 0; i < 200000; ++i) parts += "'a'\n";
  EXPECT_EQ(Scan(parts).size(), 1u);
}

}  // namespace
}  // namespace meridian
