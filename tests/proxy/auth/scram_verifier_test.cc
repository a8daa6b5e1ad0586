#include "proxy/auth/scram_verifier.h"

#include <gtest/gtest.h>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

// Of the password, salt and iterations of RFC 7677 section 3.
constexpr char kVerifier[] =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

std::string KeyText(char fill) { return std::string(42, fill) + "A="; }

TEST(ScramVerifier, IsParsedAndFormattedBack) {
  const auto verifier = ParseScramVerifier(kVerifier);
  ASSERT_TRUE(verifier.ok()) << verifier.status();
  EXPECT_EQ(verifier->iterations, 4096);
  EXPECT_EQ(verifier->salt.size(), 16u);
  EXPECT_EQ(FormatScramVerifier(*verifier), kVerifier);
}

TEST(ScramVerifier, IsMadeOfAPassword) {
  const auto expected = ParseScramVerifier(kVerifier);
  ASSERT_TRUE(expected.ok());
  const auto made = MakeScramVerifier("pencil", expected->salt, expected->iterations);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(FormatScramVerifier(*made), kVerifier);
}

TEST(ScramVerifier, GetsANewSaltEachTime) {
  const auto a = MakeScramVerifier("pencil");
  const auto b = MakeScramVerifier("pencil");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->salt, b->salt);
  EXPECT_EQ(a->iterations, kScramDefaultIterations);
  EXPECT_EQ(ParseScramVerifier(FormatScramVerifier(*a)).value(), *a);
}

TEST(ScramVerifier, RefusesWhatIsNotOneAndNeverEchoesIt) {
  const std::string stored = KeyText('s');
  const std::string bad[] = {
      "",
      "secret",
      "md5a3556571e93b0d20722ba62be61e8c2d",
      "SCRAM-SHA-256$",
      "SCRAM-SHA-256$4096",
      "SCRAM-SHA-256$4096:c2FsdA==",
      "SCRAM-SHA-256$4096:c2FsdA==$" + stored,
      "SCRAM-SHA-256$4096:c2FsdA==$" + stored + ":",
      "SCRAM-SHA-256$4096:c2FsdA==$" + stored + ":" + stored + "x",
      "SCRAM-SHA-256$4096:c2FsdA==$" + stored + ":" + stored + "\n",
      "SCRAM-SHA-256$4096:c2FsdA$" + stored + ":" + stored,
      "SCRAM-SHA-256$4096:c2F dA==$" + stored + ":" + stored,
      "SCRAM-SHA-256$4096:$" + stored + ":" + stored,
      "SCRAM-SHA-256$0:c2FsdA==$" + stored + ":" + stored,
      "SCRAM-SHA-256$-1:c2FsdA==$" + stored + ":" + stored,
      "SCRAM-SHA-256$:c2FsdA==$" + stored + ":" + stored,
      "SCRAM-SHA-256$4096x:c2FsdA==$" + stored + ":" + stored,
      "SCRAM-SHA-256$999999999999:c2FsdA==$" + stored + ":" + stored,
      "SCRAM-SHA-256$100001:c2FsdA==$" + stored + ":" + stored,
      "SCRAM-SHA-256$4096:c2FsdA==$c2hvcnQ=:" + stored,
      "SCRAM-SHA-256$4096:" + std::string(4000, 'A') + "$" + stored + ":" + stored,
  };
  ASSERT_TRUE(ParseScramVerifier("SCRAM-SHA-256$4096:c2FsdA==$" + stored + ":" + stored).ok());
  for (const std::string& text : bad) {
    const auto verifier = ParseScramVerifier(text);
    ASSERT_FALSE(verifier.ok()) << text;
    const SqlError error = ToSqlError(verifier.status());
    EXPECT_EQ(error.sqlstate, sqlstate::kInvalidParameterValue);
    EXPECT_EQ(error.message.find("c2F"), std::string::npos) << error.message;
    EXPECT_FALSE(error.hint.empty());
  }
}

TEST(DeriveKeys, RefusesWhatWouldBeUnsafeOrTooSlow) {
  EXPECT_FALSE(DeriveKeys("", "salt", 4096).ok());
  EXPECT_FALSE(DeriveKeys("pencil", "", 4096).ok());
  EXPECT_FALSE(DeriveKeys("pencil", std::string(2000, 's'), 4096).ok());
  EXPECT_FALSE(DeriveKeys("pencil", "salt", 0).ok());
  EXPECT_FALSE(DeriveKeys("pencil", "salt", -4096).ok());
  EXPECT_FALSE(DeriveKeys("pencil", "salt", kScramIterationsMax + 1).ok());
  EXPECT_TRUE(DeriveKeys("pencil", "salt", 1).ok());
}

TEST(DeriveKeys, TakesThePasswordAsBytes) {
  EXPECT_TRUE(DeriveKeys("gr\xc3\xbc\xc3\x9f", "salt", 1).ok());
  EXPECT_TRUE(DeriveKeys("\xff\xfe", "salt", 1).ok());  // not UTF-8
  EXPECT_NE(DeriveKeys("a", "salt", 1)->client_key, DeriveKeys("b", "salt", 1)->client_key);
}

TEST(MockScramVerifier, IsTheSameForTheSameUserOnly) {
  EXPECT_EQ(MockScramVerifier("ann", "secret"), MockScramVerifier("ann", "secret"));
  EXPECT_NE(MockScramVerifier("ann", "secret").salt, MockScramVerifier("bob", "secret").salt);
  EXPECT_NE(MockScramVerifier("ann", "secret").salt, MockScramVerifier("ann", "other").salt);
  EXPECT_EQ(MockScramVerifier("ann", "secret").salt.size(), kScramSaltBytes);
  EXPECT_EQ(MockScramVerifier("ann", "secret", 8192).iterations, 8192);
}

TEST(Base64, TakesOnlyWhatItMakes) {
  for (size_t size = 0; size < 50; ++size) {
    const std::string bytes = RandomBytes(size);
    EXPECT_EQ(Base64Decode(Base64Encode(bytes)), bytes);
  }
  EXPECT_EQ(Base64Encode(std::string_view("light work.")), "bGlnaHQgd29yay4=");
  for (const char* bad : {"A", "AA", "AAA", "====", "A===", "AB==CD==", "AA=A", "AAA*", " AAA",
                          "AAA ", "AAAA\n", "AAB=", "-_-_"}) {
    EXPECT_EQ(Base64Decode(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace meridian
