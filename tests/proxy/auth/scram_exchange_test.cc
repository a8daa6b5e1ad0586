// The two machines: the server's against the test vector of RFC 7677, then against each other, then
// against every kind of bad input.
#include <gtest/gtest.h>

#include "proxy/auth/scram_client.h"
#include "proxy/auth/scram_server.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// RFC 7677 section 3.
constexpr char kUser[] = "user";
constexpr char kPassword[] = "pencil";
constexpr char kServerNonce[] = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr char kClientFirst[] = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr char kServerFirst[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr char kClientFinal[] =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr char kServerFinal[] = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

const ScramKeys& Keys() {
  static const ScramKeys keys =
      DeriveKeys(kPassword, *Base64Decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096).value();
  return keys;
}

ScramVerifier Verifier() {
  return {.salt = Keys().salt,
          .iterations = Keys().iterations,
          .stored_key = Keys().stored_key,
          .server_key = Keys().server_key};
}

ScramServer Server() { return ScramServer(kUser, Verifier(), kServerNonce); }
ScramClient Client() { return ScramClient(kUser, "shard \"s1\"", "fyko+d2lbbFgONRv9qkxdawL"); }

template <typename Result>
std::string StateOf(const Result& result) {
  if constexpr (std::is_same_v<Result, absl::Status>) {
    return result.ok() ? "ok" : ToSqlError(result).sqlstate;
  } else {
    return result.ok() ? "ok" : ToSqlError(result.status()).sqlstate;
  }
}

TEST(ScramServer, AnswersAsRfc7677Says) {
  ScramServer server = Server();
  EXPECT_EQ(server.Start(kClientFirst).value(), kServerFirst);
  const auto success = server.Finish(kClientFinal);
  ASSERT_TRUE(success.ok()) << success.status();
  EXPECT_EQ(success->server_final, kServerFinal);
  EXPECT_EQ(success->keys, Keys());
}

TEST(Scram, ClientAndServerAgreeAndTheKeysLearntLogInAgain) {
  ScramServer server = Server();
  ScramClient client = Client();
  ASSERT_TRUE(client.ReadServerFirst(server.Start(client.ClientFirst()).value()).ok());
  const ScramKeys keys =
      DeriveKeys(kPassword, client.challenge().salt, client.challenge().iterations).value();
  const auto success = server.Finish(client.ClientFinal(keys).value());
  ASSERT_TRUE(success.ok()) << success.status();
  ASSERT_TRUE(client.CheckServerFinal(success->server_final).ok());
  EXPECT_TRUE(client.done());

  ScramServer backend("user", Verifier());
  ScramClient pass_through("user", "shard \"s2\"");
  ASSERT_TRUE(pass_through.ReadServerFirst(backend.Start(pass_through.ClientFirst()).value()).ok());
  EXPECT_TRUE(pass_through.Answers(success->keys));
  const auto again = backend.Finish(pass_through.ClientFinal(success->keys).value());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(pass_through.CheckServerFinal(again->server_final).ok());
}

TEST(ScramServer, AcceptsAClientThatCouldBindChannels) {
  ScramServer server = Server();
  const std::string first = server.Start("y,,n=,r=abc").value();
  EXPECT_TRUE(first.starts_with("r=abc%hvYD"));
  // The proof is wrong, the channel binding is right.
  const std::string proof = Base64Encode(ScramKey{});
  EXPECT_EQ(StateOf(server.Finish("c=eSws,r=abc" + std::string(kServerNonce) + ",p=" + proof)),
            "28P01");
}

TEST(ScramServer, RefusesAWrongPassword) {
  ScramServer server = Server();
  ScramClient client = Client();
  ASSERT_TRUE(client.ReadServerFirst(server.Start(client.ClientFirst()).value()).ok());
  const ScramKeys keys =
      DeriveKeys("wrong", client.challenge().salt, client.challenge().iterations).value();
  const auto result = server.Finish(client.ClientFinal(keys).value());
  ASSERT_FALSE(result.ok());
  const SqlError error = ToSqlError(result.status());
  EXPECT_EQ(error.sqlstate, "28P01");
  EXPECT_EQ(error.message, "password authentication failed for user \"user\"");
}

TEST(ScramServer, AnUnknownUserLooksTheSameAndFailsAtTheEnd) {
  const auto salt_of = [](const std::string& server_first) {
    return server_first.substr(server_first.find(",s="));
  };
  ScramServer server = ScramServer::ForUnknownUser("ghost", "process secret");
  ScramServer later = ScramServer::ForUnknownUser("ghost", "process secret");
  ScramClient client("ghost", "here");
  const std::string first = server.Start(client.ClientFirst()).value();
  EXPECT_EQ(salt_of(first), salt_of(later.Start(client.ClientFirst()).value()));
  EXPECT_EQ(salt_of(first).size(), salt_of(kServerFirst).size());
  ASSERT_TRUE(client.ReadServerFirst(first).ok());
  const ScramKeys keys =
      DeriveKeys(kPassword, client.challenge().salt, client.challenge().iterations).value();
  const auto result = server.Finish(client.ClientFinal(keys).value());
  EXPECT_EQ(ToSqlError(result.status()).message,
            "password authentication failed for user \"ghost\"");
}

TEST(ScramServer, RefusesABadFirstMessage) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "08P01"},
      {"n", "08P01"},
      {"n,", "08P01"},
      {"n,,", "08P01"},
      {"n,,n=", "08P01"},
      {"n,,n=u,", "08P01"},
      {"n,,n=u,r=", "08P01"},
      {"n,,n=u,r=,", "08P01"},
      {"n,,r=abc", "08P01"},
      {"n,,n=u,s=abc", "08P01"},
      {"n,,n=u,r=abc,", "08P01"},
      {"n,,n=u,r=abc,junk", "08P01"},
      {"n,,n=u,r=ab c", "08P01"},
      {"n,,n=u,r=ab\xc3\xa4", "08P01"},
      {std::string("n,,n=u,r=ab\0c", 13), "08P01"},
      {"n;,n=u,r=abc", "08P01"},
      {"x,,n=u,r=abc", "08P01"},
      {"n,b=x,n=u,r=abc", "08P01"},
      {"n,,n=u,r=" + std::string(5000, 'a'), "08P01"},
      {"n,a=root,n=u,r=abc", "0A000"},
      {"n,,m=ext,n=u,r=abc", "0A000"},
      {"p=tls-server-end-point,,n=u,r=abc", "0A000"},
  };
  for (const auto& [message, state] : cases) {
    ScramServer server = Server();
    EXPECT_EQ(StateOf(server.Start(message)), state) << message;
    EXPECT_EQ(StateOf(server.Finish(kClientFinal)), "08P01") << "after: " << message;
  }
  ScramServer server = Server();
  EXPECT_EQ(StateOf(server.Start("n,,n=u,r=abc,x=ignored,y=too")), "ok");
}

TEST(ScramServer, RefusesABadFinalMessage) {
  const std::string nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const std::string proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  const std::string bad[] = {
      "",
      "c",
      "c=biws",
      "c=biws," + nonce,
      "c=biws," + nonce + ",",
      "c=biws," + nonce + ",p",
      "c=biws," + nonce + ",p=",
      "c=biws," + nonce + ",p=c2hvcnQ=",
      "c=biws," + nonce + ",p=****",
      "c=biws," + nonce + "," + proof + ",",
      "c=biws," + nonce + "," + proof + ",x=y",
      "c=biws," + nonce + "," + proof + "\n",
      "c=eSws," + nonce + "," + proof,
      "c=," + nonce + "," + proof,
      nonce + "," + proof,
      "c=biws,r=rOprNGfwEbeRWgbNEkqO," + proof,
      "c=biws," + nonce + "x," + proof,
      "c=biws," + proof,
      "c=biws," + nonce + "," + std::string(5000, 'x'),
  };
  for (const std::string& message : bad) {
    ScramServer server = Server();
    ASSERT_TRUE(server.Start(kClientFirst).ok());
    EXPECT_EQ(StateOf(server.Finish(message)), "08P01") << message;
    EXPECT_EQ(StateOf(server.Finish(kClientFinal)), "08P01") << "a second try: " << message;
  }
  // An extension before the proof is part of what is signed, so this proof is wrong.
  ScramServer server = Server();
  ASSERT_TRUE(server.Start(kClientFirst).ok());
  EXPECT_EQ(StateOf(server.Finish("c=biws," + nonce + ",x=y," + proof)), "28P01");
}

TEST(ScramServer, RefusesMessagesOutOfTurn) {
  ScramServer early = Server();
  EXPECT_EQ(StateOf(early.Finish(kClientFinal)), "08P01");
  ScramServer twice = Server();
  ASSERT_TRUE(twice.Start(kClientFirst).ok());
  EXPECT_EQ(StateOf(twice.Start(kClientFirst)), "08P01");
  EXPECT_EQ(StateOf(twice.Finish(kClientFinal)), "08P01");
  ScramServer replay = Server();
  ASSERT_TRUE(replay.Start(kClientFirst).ok());
  ASSERT_TRUE(replay.Finish(kClientFinal).ok());
  EXPECT_EQ(StateOf(replay.Finish(kClientFinal)), "08P01");
}

TEST(ScramClient, RefusesABadFirstMessage) {
  const std::string nonce = "r=fyko+d2lbbFgONRv9qkxdawL3rfc";
  const std::string bad[] = {
      "",
      "r=",
      nonce,
      nonce + ",",
      nonce + ",s=",
      nonce + ",s=c2FsdA==",
      nonce + ",s=c2FsdA==,",
      nonce + ",s=c2FsdA==,i=",
      nonce + ",s=c2FsdA==,i=0",
      nonce + ",s=c2FsdA==,i=-1",
      nonce + ",s=c2FsdA==,i=+1",
      nonce + ",s=c2FsdA==,i=4096x",
      nonce + ",s=c2FsdA==,i=99999999999999999999",
      nonce + ",s=c2FsdA==,i=100001",
      nonce + ",s=c2FsdA==,i=4096,",
      nonce + ",s=c2FsdA==,i=4096,junk",
      nonce + ",s=,i=4096",
      nonce + ",s=***,i=4096",
      nonce + ",s=" + std::string(3000, 'A') + ",i=4096",
      nonce + ",i=4096,s=c2FsdA==",
      "s=c2FsdA==,i=4096",
      "m=ext," + nonce + ",s=c2FsdA==,i=4096",
      "r=fyko+d2lbbFgONRv9qkxdawL,s=c2FsdA==,i=4096",    // not extended
      "r=other+d2lbbFgONRv9qkxdawL3,s=c2FsdA==,i=4096",  // not ours
      "r=fyko+d2lbbFgONRv9qkxdawL\xff,s=c2FsdA==,i=4096",
      nonce + std::string(10000, 'n') + ",s=c2FsdA==,i=4096",
  };
  for (const std::string& message : bad) {
    ScramClient client = Client();
    EXPECT_EQ(StateOf(client.ReadServerFirst(message)), "08P01") << message;
    EXPECT_EQ(StateOf(client.ClientFinal(Keys())), "08P01");
  }
  ScramClient client = Client();
  EXPECT_EQ(StateOf(client.ReadServerFirst(nonce + ",s=c2FsdA==,i=4096,x=ignored")), "ok");
}

TEST(ScramClient, SaysThatTheKeysAreOfAnotherVerifier) {
  for (const char* other : {"s=c2FsdA==,i=4096", "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=8192"}) {
    ScramClient client = Client();
    const std::string first = std::string("r=fyko+d2lbbFgONRv9qkxdawL3rfc,") + other;
    ASSERT_TRUE(client.ReadServerFirst(first).ok());
    EXPECT_FALSE(client.Answers(Keys()));
    const auto final = client.ClientFinal(Keys());
    ASSERT_FALSE(final.ok());
    const SqlError error = ToSqlError(final.status());
    EXPECT_EQ(error.sqlstate, "28P01");
    EXPECT_EQ(error.message,
              "the password of role \"user\" is not the same verifier on shard \"s1\"");
    EXPECT_NE(error.hint.find("server.password_file"), std::string::npos);
  }
}

TEST(ScramClient, RefusesABadFinalMessage) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "08P01"},
      {"v=", "08P01"},
      {"v=****", "08P01"},
      {"v=c2hvcnQ=", "08P01"},
      {"x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "08P01"},
      {std::string(kServerFinal) + ",", "08P01"},
      {std::string(kServerFinal) + ",junk", "08P01"},
      {"v=" + std::string(5000, 'A'), "08P01"},
      {kServerFinal, "28P01"},  // of another exchange
      {"e=invalid-proof", "28P01"},
      {"e=" + std::string(1000, '%'), "28P01"},
  };
  for (const auto& [message, state] : cases) {
    ScramServer server = Server();
    ScramClient client = Client();
    ASSERT_TRUE(client.ReadServerFirst(server.Start(client.ClientFirst()).value()).ok());
    const auto success = server.Finish(client.ClientFinal(Keys()).value());
    ASSERT_TRUE(success.ok());
    EXPECT_EQ(StateOf(client.CheckServerFinal(message)), state) << message;
    EXPECT_FALSE(client.done());
    EXPECT_EQ(StateOf(client.CheckServerFinal(success->server_final)), "08P01");
    EXPECT_FALSE(client.done());
  }
}

TEST(ScramClient, RefusesMessagesOutOfTurn) {
  ScramClient early = Client();
  EXPECT_EQ(StateOf(early.CheckServerFinal(kServerFinal)), "08P01");
  ScramClient no_challenge = Client();
  EXPECT_EQ(StateOf(no_challenge.ClientFinal(Keys())), "08P01");
  ScramClient twice = Client();
  const std::string first = "r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=c2FsdA==,i=4096";
  ASSERT_TRUE(twice.ReadServerFirst(first).ok());
  EXPECT_EQ(StateOf(twice.ReadServerFirst(first)), "08P01");
  ScramClient skipped = Client();
  ASSERT_TRUE(skipped.ReadServerFirst(first).ok());
  EXPECT_EQ(StateOf(skipped.CheckServerFinal(kServerFinal)), "08P01");
}

}  // namespace
}  // namespace meridian
