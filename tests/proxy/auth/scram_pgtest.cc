// SCRAM against PostgreSQL itself: its verifiers are read, ours are accepted by it, and a client's
// login to us is passed through to it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <utility>

#include "proxy/auth/scram_client.h"
#include "proxy/auth/scram_server.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

using std::string_literals::operator""s;

// Authentication codes of PostgreSQL's message 'R'.
constexpr uint32_t kOk = 0;
constexpr uint32_t kSasl = 10;
constexpr uint32_t kSaslContinue = 11;
constexpr uint32_t kSaslFinal = 12;

std::string BigEndian(uint32_t number) {
  const uint32_t bytes = htonl(number);
  return std::string(reinterpret_cast<const char*>(&bytes), sizeof bytes);
}

// The start of a connection to a server, message by message.
class RawConnection {
 public:
  RawConnection(uint16_t port, const std::string& user) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
    const std::string body = BigEndian(3 << 16) + "user\0"s + user + "\0database\0postgres\0\0"s;
    Write(BigEndian(static_cast<uint32_t>(body.size() + 4)) + body);
  }
  ~RawConnection() { close(fd_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  void SendPassword(const std::string& body) {
    Write("p" + BigEndian(static_cast<uint32_t>(body.size() + 4)) + body);
  }
  // The next authentication message as its code and data; an ErrorResponse as its text.
  std::pair<uint32_t, std::string> Read() {
    const std::string header = ReadExactly(5);
    uint32_t length;
    std::memcpy(&length, header.data() + 1, sizeof length);
    const std::string body = ReadExactly(ntohl(length) - 4);
    if (header[0] != 'R') return {~0U, body};
    uint32_t code;
    std::memcpy(&code, body.data(), sizeof code);
    return {ntohl(code), body.substr(sizeof code)};
  }

 private:
  void Write(const std::string& bytes) {
    if (write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("cannot write");
    }
  }
  std::string ReadExactly(size_t size) {
    std::string bytes(size, '\0');
    for (size_t at = 0; at < size;) {
      const ssize_t count = read(fd_, bytes.data() + at, size - at);
      if (count <= 0) throw std::runtime_error("the server closed the connection");
      at += static_cast<size_t>(count);
    }
    return bytes;
  }

  const int fd_;
};

// Logs in by keys that `keys_for` gives. OK, or why not; the server's own error is Unauthenticated.
absl::Status LogIn(uint16_t port, const std::string& user, auto keys_for) {
  RawConnection server(port, user);
  ScramClient client(user, "the server");
  const auto [sasl, mechanisms] = server.Read();
  if (sasl != kSasl || mechanisms.find(kScramMechanism) == std::string::npos) {
    return absl::InternalError("no SASL");
  }
  const std::string first = client.ClientFirst();
  server.SendPassword(std::string(kScramMechanism) + "\0"s +
                      BigEndian(static_cast<uint32_t>(first.size())) + first);
  const auto [code, server_first] = server.Read();
  if (code != kSaslContinue) return absl::UnauthenticatedError(server_first);
  if (absl::Status read = client.ReadServerFirst(server_first); !read.ok()) return read;
  const absl::StatusOr<std::string> final = client.ClientFinal(keys_for(client.challenge()));
  if (!final.ok()) return final.status();
  server.SendPassword(*final);
  const auto [final_code, server_final] = server.Read();
  if (final_code != kSaslFinal) return absl::UnauthenticatedError(server_final);
  if (absl::Status checked = client.CheckServerFinal(server_final); !checked.ok()) return checked;
  return server.Read().first == kOk ? absl::OkStatus() : absl::InternalError("not OK");
}

class ScramWithPostgres : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new PgCluster({.hba = {"local all all trust", "host all all all scram-sha-256"}});
  }
  static void TearDownTestSuite() { delete std::exchange(cluster_, nullptr); }

  void TearDown() override { superuser_.Query("DROP ROLE IF EXISTS ann"); }
  void CreateAnn(const std::string& password) {
    superuser_.Query("CREATE ROLE ann LOGIN PASSWORD '" + password + "'");
  }
  ScramVerifier VerifierOfAnn() {
    return ParseScramVerifier(
               superuser_.Value("SELECT rolpassword FROM pg_authid WHERE rolname = 'ann'"))
        .value();
  }
  static uint16_t port() { return cluster_->port(); }

  static inline PgCluster* cluster_ = nullptr;
  Connection superuser_ = cluster_->Connect();
};

TEST_F(ScramWithPostgres, ItsVerifierIsTheOneWeMake) {
  for (const char* password : {"pencil", "p w", "gr\xc3\xbc\xc3\x9f",
                               "\xe2\x82\xac"
                               "1"}) {
    CreateAnn(password);
    const ScramVerifier verifier = VerifierOfAnn();
    EXPECT_EQ(MakeScramVerifier(password, verifier.salt, verifier.iterations).value(), verifier)
        << password;
    superuser_.Query("DROP ROLE ann");
  }
}

TEST_F(ScramWithPostgres, ItAcceptsOurVerifier) {
  CreateAnn(FormatScramVerifier(MakeScramVerifier("pencil").value()));
  const std::string conninfo =
      "host=127.0.0.1 user=ann dbname=postgres port=" + std::to_string(port());
  EXPECT_TRUE(Connection::Open(conninfo + " password=pencil").ok());
  EXPECT_FALSE(Connection::Open(conninfo + " password=wrong").ok());
}

TEST_F(ScramWithPostgres, WeLogInWithAPassword) {
  CreateAnn("pencil");
  const auto log_in = [](std::string_view password) {
    return LogIn(port(), "ann", [&](const ScramChallenge& challenge) {
      return DeriveKeys(password, challenge.salt, challenge.iterations).value();
    });
  };
  EXPECT_EQ(log_in("pencil"), absl::OkStatus());
  const absl::Status wrong = log_in("wrong");
  EXPECT_EQ(wrong.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(wrong.message()), testing::HasSubstr("28P01"));
}

TEST_F(ScramWithPostgres, AClientsLoginIsPassedThrough) {
  CreateAnn("pencil");
  // The client's login to us, by the role's verifier.
  ScramServer proxy("ann", VerifierOfAnn());
  ScramClient client("ann", "the proxy");
  ASSERT_TRUE(client.ReadServerFirst(proxy.Start(client.ClientFirst()).value()).ok());
  const ScramChallenge& challenge = client.challenge();
  const ScramKeys own = DeriveKeys("pencil", challenge.salt, challenge.iterations).value();
  const auto success = proxy.Finish(client.ClientFinal(own).value());
  ASSERT_TRUE(success.ok()) << success.status();
  // Our login to the server, by what we have learnt.
  const auto log_in = [&] {
    return LogIn(port(), "ann", [&](const ScramChallenge&) { return success->keys; });
  };
  EXPECT_EQ(log_in(), absl::OkStatus());

  // The same password, but another salt: another verifier.
  superuser_.Query("ALTER ROLE ann PASSWORD 'pencil'");
  EXPECT_EQ(log_in().message(),
            "the password of role \"ann\" is not the same verifier on the server");
}

}  // namespace
}  // namespace meridian
