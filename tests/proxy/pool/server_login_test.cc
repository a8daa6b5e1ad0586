#include "proxy/pool/server_login.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/auth/scram_server.h"
#include "proxy/pool/md5_password.h"
#include "proxy/wire/message_stream.h"
#include "proxy/wire/startup_packet.h"
#include "sharding/byte_reader.h"
#include "tests/proxy/pool/fake_host.h"

namespace meridian {
namespace {

using std::string_literals::operator""s;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using Next = ServerLogin::Next;

const PoolKey kSocket{{"/run/postgresql", 5432}, "shop", "ann"};

// A login and the bytes that it has sent.
class Login {
 public:
  explicit Login(ServerCredentials credentials = {}, const PoolKey& key = kAnn,
                 std::optional<ScramKeys> derived = std::nullopt)
      : login(key, std::move(credentials), std::move(derived)) {
    login.Start(sent);
    startup = std::exchange(sent, {});
  }

  // The result of the last message; the login is not asked again after an error.
  absl::StatusOr<Next> Feed(std::string_view bytes) {
    for (;;) {
      const auto event = stream.Next(bytes);
      if (event.kind == wire::MessageStream::Kind::kNone) return last;
      if (event.kind == wire::MessageStream::Kind::kBroken) return absl::DataLossError("broken");
      last = login.OnMessage(event.type, event.bytes, event.starts, event.ends, sent);
      if (!last.ok()) return last;
    }
  }
  SqlError Failure(std::string_view bytes) {
    const auto next = Feed(bytes);
    EXPECT_FALSE(next.ok());
    return next.ok() ? SqlError{} : ToSqlError(next.status());
  }
  std::string TakeSent() { return std::exchange(sent, {}); }

  ServerLogin login;
  wire::MessageStream stream;
  absl::StatusOr<Next> last = Next::kMore;
  std::string startup;
  std::string sent;
};

std::string Authentication(uint32_t code, std::string_view data = {}) {
  std::string bytes;
  wire::AppendAuthentication(bytes, code, data);
  return bytes;
}

std::string SaslOffer() { return Authentication(wire::kAuthSasl, "SCRAM-SHA-256\0\0"s); }

// The server's side of a SCRAM exchange, fed with what the login sends.
class ScramPeer {
 public:
  ScramPeer()
      : server_("ann", MakeScramVerifier("pencil", "saltsaltsaltsalt", 1).value(), "servernonce") {}

  std::string AnswerFirst(std::string_view initial_response) {
    ByteReader reader(initial_response.substr(wire::kHeaderBytes));
    EXPECT_EQ(reader.String(), "SCRAM-SHA-256");
    const uint32_t size = reader.U32();
    const auto challenge = server_.Start(reader.Bytes(size));
    EXPECT_TRUE(challenge.ok() && reader.AtEnd());
    return Authentication(wire::kAuthSaslContinue, challenge.value());
  }
  std::string AnswerFinal(std::string_view response) {
    auto success = server_.Finish(response.substr(wire::kHeaderBytes));
    EXPECT_TRUE(success.ok()) << success.status();
    return Authentication(wire::kAuthSaslFinal, success.value().server_final);
  }

 private:
  ScramServer server_;
};

const ScramKeys& PencilKeys() {
  static const ScramKeys keys = DeriveKeys("pencil", "saltsaltsaltsalt", 1).value();
  return keys;
}

TEST(ServerLogin, StartsWithUserAndDatabaseOnly) {
  const Login login;
  const auto packet = wire::ParseStartupPacket(login.startup);
  ASSERT_TRUE(packet.ok());
  const auto& message = std::get<wire::StartupMessage>(*packet);
  EXPECT_EQ(message.user, "ann");
  EXPECT_EQ(message.database, "shop");
  EXPECT_THAT(message.settings, ElementsAre());
}

TEST(ServerLogin, TrustedLearnsTheProfile) {
  Login login;
  EXPECT_EQ(login.Feed(TrustLogin(4711)).value(), Next::kMore);
  EXPECT_EQ(login.TakeSent(),
            QueryBytes("SELECT pg_catalog.current_setting('search_path'),"
                       " pg_catalog.current_setting('default_transaction_isolation'),"
                       " pg_catalog.current_setting('default_transaction_read_only')"));
  EXPECT_EQ(login.Feed(DefaultsAnswer("app, public")).value(), Next::kDone);
  EXPECT_EQ(login.login.backend_pid(), 4711u);
  EXPECT_EQ(login.login.cancel_secret(), "\1\2\3\4");
  const PoolProfile profile = login.login.TakeProfile();
  EXPECT_THAT(profile.parameters,
              ElementsAre(Pair("server_version", "15.20"), Pair("TimeZone", "UTC")));
  EXPECT_EQ(profile.defaults, Defaults("app, public"));
}

TEST(ServerLogin, CutAtEveryByte) {
  const std::string bytes = TrustLogin() + DefaultsAnswer();
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    Login login;
    login.Feed(bytes.substr(0, cut)).value();
    EXPECT_EQ(login.Feed(bytes.substr(cut)).value(), Next::kDone) << cut;
  }
  Login login;
  for (const char byte : bytes) login.Feed(std::string_view(&byte, 1)).value();
  EXPECT_EQ(login.last.value(), Next::kDone);
  EXPECT_EQ(login.login.TakeProfile().defaults, Defaults());
}

TEST(ServerLogin, ScramWithTheClientsKeys) {
  Login login({.keys = PencilKeys()});
  ScramPeer peer;
  login.Feed(SaslOffer()).value();
  login.Feed(peer.AnswerFirst(login.TakeSent())).value();
  login.Feed(peer.AnswerFinal(login.TakeSent())).value();
  login.Feed(TrustLogin()).value();
  EXPECT_EQ(login.Feed(DefaultsAnswer()).value(), Next::kDone);
  EXPECT_FALSE(login.login.derived().has_value());
}

TEST(ServerLogin, ScramWithAPasswordAsksForItsKeys) {
  Login login({.password = "pencil"});
  ScramPeer peer;
  login.Feed(SaslOffer()).value();
  EXPECT_EQ(login.Feed(peer.AnswerFirst(login.TakeSent())).value(), Next::kKeys);
  EXPECT_EQ(login.login.challenge().salt, "saltsaltsaltsalt");
  EXPECT_EQ(login.login.challenge().iterations, 1);
  ASSERT_TRUE(login.login.OnKeys(PencilKeys(), login.sent).ok());
  login.Feed(peer.AnswerFinal(login.TakeSent())).value();
  login.Feed(TrustLogin()).value();
  EXPECT_EQ(login.Feed(DefaultsAnswer()).value(), Next::kDone);
  EXPECT_EQ(login.login.derived(), PencilKeys());
}

TEST(ServerLogin, ScramWithKeysDerivedBefore) {
  Login login({.password = "pencil"}, kAnn, PencilKeys());
  ScramPeer peer;
  login.Feed(SaslOffer()).value();
  EXPECT_EQ(login.Feed(peer.AnswerFirst(login.TakeSent())).value(), Next::kMore);
  peer.AnswerFinal(login.TakeSent());
}

TEST(ServerLogin, ScramWithKeysOfAnotherVerifierFallsBackToThePassword) {
  ScramKeys other = PencilKeys();
  other.salt = "another salt";
  Login with_password({.keys = other, .password = "pencil"});
  with_password.Feed(SaslOffer()).value();
  EXPECT_EQ(with_password.Feed(ScramPeer().AnswerFirst(with_password.TakeSent())).value(),
            Next::kKeys);
  Login without({.keys = other});
  without.Feed(SaslOffer()).value();
  EXPECT_EQ(without.Failure(ScramPeer().AnswerFirst(without.TakeSent())).sqlstate, "28P01");
}

TEST(ServerLogin, ScramServerMustProveItself) {
  for (const int step : {1, 2, 3}) {
    Login login({.keys = PencilKeys()});
    ScramPeer peer;
    login.Feed(SaslOffer()).value();
    const std::string first = login.TakeSent();
    if (step >= 2) login.Feed(peer.AnswerFirst(first)).value();
    if (step == 3) {
      const auto error = login.Failure(
          Authentication(wire::kAuthSaslFinal, "v=" + Base64Encode(std::string(32, 'x'))));
      EXPECT_EQ(error.sqlstate, "28P01");
      continue;
    }
    const auto error = login.Failure(Authentication(wire::kAuthOk));
    EXPECT_EQ(error.sqlstate, "08P01") << step;
    EXPECT_THAT(error.message, HasSubstr("without proving")) << step;
  }
}

TEST(ServerLogin, ScramKeysMustBeWaitedFor) {
  Login login({.password = "pencil"});
  login.Feed(SaslOffer()).value();
  login.Feed(ScramPeer().AnswerFirst(login.TakeSent())).value();
  EXPECT_EQ(login.Failure(Authentication(wire::kAuthOk)).sqlstate, "08P01");
}

TEST(ServerLogin, ScramIterationsAreBounded) {
  Login login({.password = "pencil"});
  login.Feed(SaslOffer()).value();
  ByteReader reader(std::string_view(login.sent).substr(wire::kHeaderBytes));
  reader.String();
  reader.U32();
  const std::string first(reader.rest());
  const std::string nonce = first.substr(first.find("r=") + 2);
  const auto error = login.Failure(
      Authentication(wire::kAuthSaslContinue, "r=" + nonce + "x,s=c2FsdA==,i=2000000000"));
  EXPECT_EQ(error.sqlstate, "08P01");
}

TEST(ServerLogin, SaslWithoutScramIsRefused) {
  Login login({.password = "pencil"});
  EXPECT_EQ(login.Failure(Authentication(wire::kAuthSasl, "OAUTHBEARER\0\0"s)).sqlstate, "0A000");
  Login truncated({.password = "pencil"});
  EXPECT_EQ(truncated.Failure(Authentication(wire::kAuthSasl, "SCRAM-SHA-2")).sqlstate, "0A000");
}

TEST(ServerLogin, WithoutAPasswordSaysWhatToDo) {
  for (const std::string& request : {SaslOffer(), Authentication(wire::kAuthMd5Password, "salt"),
                                     Authentication(wire::kAuthCleartextPassword)}) {
    Login login({}, kSocket);
    const auto error = login.Failure(request);
    EXPECT_EQ(error.sqlstate, "28P01");
    EXPECT_THAT(error.message, HasSubstr("\"ann\""));
    EXPECT_THAT(error.hint, HasSubstr("server.password_file"));
    EXPECT_EQ(login.sent, "");
  }
}

TEST(ServerLogin, CleartextOnlyOverASocketOrWhereAllowed) {
  const std::string request = Authentication(wire::kAuthCleartextPassword);
  Login tcp({.password = "pencil"});
  const auto error = tcp.Failure(request);
  EXPECT_EQ(error.sqlstate, "28000");
  EXPECT_THAT(error.message, testing::Not(HasSubstr("pencil")));
  EXPECT_EQ(tcp.sent, "");

  Login socket({.password = "pencil"}, kSocket);
  Login allowed({.password = "pencil", .allow_cleartext_tcp = true});
  for (Login* login : {&socket, &allowed}) {
    login->Feed(request).value();
    EXPECT_EQ(login->TakeSent(), "p\0\0\0\x0bpencil\0"s);
    login->Feed(TrustLogin()).value();
    EXPECT_EQ(login->Feed(DefaultsAnswer()).value(), Next::kDone);
  }
}

TEST(ServerLogin, Md5) {
  // SELECT 'md5' || md5(md5('pencilann') || 'salt')
  EXPECT_EQ(Md5Password("ann", "pencil", "salt"), "md54933d913ee8ea3c8d73c6322de31508f");
  Login login({.password = "pencil"});
  login.Feed(Authentication(wire::kAuthMd5Password, "salt")).value();
  EXPECT_EQ(login.TakeSent(), "p\0\0\0\x28"s + *Md5Password("ann", "pencil", "salt") + '\0');
  Login malformed({.password = "pencil"});
  EXPECT_EQ(malformed.Failure(Authentication(wire::kAuthMd5Password, "sal")).sqlstate, "08P01");
}

TEST(ServerLogin, UnknownMethodIsRefused) {
  Login login({.password = "pencil"});
  EXPECT_EQ(login.Failure(Authentication(7)).sqlstate, "0A000");  // GSSAPI
  EXPECT_EQ(Login().Failure("R\0\0\0\6xx"s).sqlstate, "08P01");
}

TEST(ServerLogin, TheServersErrorIsTheClients) {
  Login login;
  const auto error = login.Failure(ErrorBytes("3D000", "database \"shop\" does not exist"));
  EXPECT_EQ(error.sqlstate, "3D000");
  EXPECT_EQ(error.message, "database \"shop\" does not exist");
  EXPECT_THAT(error.detail, HasSubstr("10.0.0.1:5432"));
  // CVE-2026-6666: none of the fields need be there.
  const auto bare = Login().Failure("E\0\0\0\5\0"s);
  EXPECT_EQ(bare.sqlstate, "XX000");
  EXPECT_THAT(bare.message, HasSubstr("without a reason"));
}

TEST(ServerLogin, NoticesDoNotDisturb) {
  Login login;
  const std::string notice = ErrorBytes("01000", "hear", wire::Severity::kNotice);
  login.Feed(notice + TrustLogin() + notice).value();
  EXPECT_EQ(login.Feed(notice + DefaultsAnswer()).value(), Next::kDone);
}

TEST(ServerLogin, WhatDoesNotBelongIsRefused) {
  std::string parameter, key, ready, in_transaction, row, negotiate;
  wire::AppendParameterStatus(parameter, "a", "b");
  wire::AppendBackendKeyData(key, 1, "abcd");
  wire::AppendReadyForQuery(ready, wire::kIdle);
  wire::AppendReadyForQuery(in_transaction, wire::kInTransaction);
  wire::AppendTextDataRow(row, {"x"});
  wire::AppendNegotiateProtocolVersion(negotiate, {});
  const std::string ok = Authentication(wire::kAuthOk);
  const std::vector<std::string> conversations = {
      parameter,
      key,
      ready,
      row,
      negotiate,
      ok + ok,
      ok + key + key,
      ok + in_transaction,
      ok + row,
      ok + "S\0\0\0\6ab"s,
      ok + "K\0\0\0\7abc"s,
      ok + "K\0\0\0\x0a"
           "abcdef"s,
      ok + CommandAnswer("SELECT 1"),
      TrustLogin() + ready,
      TrustLogin() + row + row,
      TrustLogin() + key,
      TrustLogin() + ok,
      TrustLogin() + "D\0\0\0\x0a\0\1\xff\xff\xff\xff"s,  // NULL
      TrustLogin() + "A\0\0\0\x0a\0\0\0\1x\0"s,
  };
  for (size_t i = 0; i < conversations.size(); ++i) {
    Login login;
    const auto next = login.Feed(conversations[i]);
    ASSERT_FALSE(next.ok()) << i;
    if (next.status().code() != absl::StatusCode::kDataLoss) {
      EXPECT_EQ(ToSqlError(next.status()).sqlstate, "08P01") << i;
    }
  }
}

TEST(ServerLogin, MemoryIsBounded) {
  Login many;
  std::string parameters = Authentication(wire::kAuthOk);
  for (int i = 0; i < 300; ++i) {
    wire::AppendParameterStatus(parameters, std::to_string(i), "x");
  }
  EXPECT_THAT(many.Failure(parameters).message, HasSubstr("too many"));

  Login row;
  row.Feed(TrustLogin()).value();
  std::string header = "D\x7f\xff\xff\xff"s;
  row.Feed(header).value();
  const std::string chunk(100'000, 'x');
  bool failed = false;
  for (int i = 0; i < 11 && !failed; ++i) failed = !row.Feed(chunk).ok();
  EXPECT_TRUE(failed);
}

TEST(ServerLogin, AParameterThatChangesIsReportedOnce) {
  Login login;
  std::string change;
  wire::AppendParameterStatus(change, "TimeZone", "Europe/Paris");
  login.Feed(TrustLogin() + change).value();
  EXPECT_EQ(login.Feed(DefaultsAnswer()).value(), Next::kDone);
  EXPECT_THAT(login.login.TakeProfile().parameters,
              ElementsAre(Pair("server_version", "15.20"), Pair("TimeZone", "Europe/Paris")));
}

}  // namespace
}  // namespace meridian
