#include "proxy/session/client_login.h"

#include <chrono>

#include "proxy/wire/message_writer.h"
#include "proxy/wire/messages.h"
#include "sharding/byte_reader.h"

namespace meridian {
namespace {

constexpr uint32_t kMaxPasswordBytes = 65535;  // PG_MAX_AUTH_TOKEN_LENGTH

absl::Status Violation(std::string message) {
  return SqlStatus(sqlstate::kProtocolViolation, std::move(message));
}

bool IsExpired(const Role& role, int64_t now_s) {
  if (!role.valid_until) return false;
  const auto until =
      std::chrono::duration_cast<std::chrono::seconds>(role.valid_until->time_since_epoch());
  return until.count() <= now_s;
}

}  // namespace

absl::Status TooManyClients(std::string hint) {
  return SqlStatus(sqlstate::kTooManyConnections, "sorry, too many clients already",
                   std::move(hint));
}

ClientLogin::Step ClientLogin::Fail(const absl::Status& status, wire::OutQueue& out) {
  wire::AppendError(out.Own(), wire::Severity::kFatal, ToSqlError(status));
  return Step::kFailed;
}

ClientLogin::Step ClientLogin::OnBytes(std::string_view& input, const World& world,
                                       wire::OutQueue& out) {
  for (;;) {
    // Start-up packets have no type; the messages after it have one.
    const size_t type_size = state_ == State::kStart ? 0 : 1;
    const size_t header = type_size + 4;
    while (buffer_.size() < header && !input.empty()) {
      buffer_.push_back(input[0]);
      input.remove_prefix(1);
    }
    if (buffer_.size() < header) return Step::kMore;
    const uint32_t length = LoadU32(buffer_.data() + type_size);
    if (type_size == 1 && buffer_[0] != wire::kPasswordMessage) {
      return Fail(Violation("expected password response, got message type " +
                            std::to_string(static_cast<unsigned char>(buffer_[0]))),
                  out);
    }
    const uint32_t limit = type_size == 0 ? wire::kMaxStartupBytes : kMaxPasswordBytes;
    const uint32_t least = type_size == 0 ? wire::kMinStartupBytes : 4;
    if (length < least || length > limit) return Step::kClose;
    const size_t whole = size_t{length} + type_size;
    const size_t taken = std::min(whole - buffer_.size(), input.size());
    buffer_.append(input.substr(0, taken));
    input.remove_prefix(taken);
    if (buffer_.size() < whole) return Step::kMore;

    const std::string packet = std::exchange(buffer_, std::string());
    Step step = Step::kMore;
    if (state_ == State::kStart) {
      step = OnStartPacket(packet, !input.empty(), world, out);
    } else if (state_ == State::kSaslInitial) {
      step = OnSaslInitial(std::string_view(packet).substr(wire::kHeaderBytes), out);
    } else {
      step = OnPassword(std::string_view(packet).substr(wire::kHeaderBytes), out);
    }
    if (step != Step::kMore) return step;
  }
}

ClientLogin::Step ClientLogin::OnStartPacket(std::string_view packet, bool more, const World& world,
                                             wire::OutQueue& out) {
  auto parsed = wire::ParseStartupPacket(packet);
  if (!parsed.ok()) {
    // As PostgreSQL: whoever wants to cancel is never answered.
    return wire::IsCancelRequest(packet) ? Step::kClose : Fail(parsed.status(), out);
  }
  if (std::holds_alternative<wire::CancelRequest>(*parsed)) {
    cancel_ = std::get<wire::CancelRequest>(*parsed);
    return Step::kCancel;
  }
  if (std::holds_alternative<wire::StartupMessage>(*parsed)) {
    startup_ = std::get<wire::StartupMessage>(std::move(*parsed));
    return OnStartup(world, out);
  }
  // Bytes behind the request came before the answer to it: a man in the middle may have put them
  // there (CVE-2021-23214). They are never parsed.
  const bool ssl = std::holds_alternative<wire::SslRequest>(*parsed);
  bool& refused = ssl ? ssl_refused_ : gss_refused_;
  if (refused) return Fail(Violation("encryption was requested twice"), out);
  refused = true;
  out.Append("N");
  if (more) {
    return Fail(Violation(ssl ? "received unencrypted data after SSL request"
                              : "received unencrypted data after GSSAPI encryption request"),
                out);
  }
  return Step::kMore;
}

ClientLogin::Step ClientLogin::OnStartup(const World& world, wire::OutQueue& out) {
  if (startup_.minor > 0 || !startup_.unknown_protocol_options.empty()) {
    wire::AppendNegotiateProtocolVersion(out.Own(), startup_.unknown_protocol_options);
  }
  if (world.beyond_limit && !admin()) {
    refused_ = true;
    return Fail(TooManyClients("The limit is the setting max_client_connections."), out);
  }
  if (startup_.replication) {
    return Fail(SqlStatus(sqlstate::kFeatureNotSupported,
                          "replication connections through Meridian are not supported",
                          "Connect to the server itself."),
                out);
  }
  // Administration always needs a password: it is configured here, not on a shard.
  if (world.method == ClientAuth::kTrust && !admin()) {
    if (world.roles.Find(startup_.user) == nullptr) roles_may_be_stale_ = true;
    state_ = State::kDone;
    return Step::kLoggedIn;
  }
  scram_.emplace(MakeServer(world));
  std::string mechanisms(kScramMechanism);
  mechanisms.append(2, '\0');
  wire::AppendAuthentication(out.Own(), wire::kAuthSasl, mechanisms);
  state_ = State::kSaslInitial;
  return Step::kMore;
}

// Whoever cannot log in gets the same exchange as everybody, and fails at its end.
ScramServer ClientLogin::MakeServer(const World& world) {
  if (admin()) {
    if (const AdminUser* user = world.config.FindAdminUser(startup_.user)) {
      auto verifier = IsScramVerifier(user->password) ? ParseScramVerifier(user->password)
                                                      : MakeScramVerifier(user->password);
      if (verifier.ok()) return ScramServer(startup_.user, *verifier);
    }
    return ScramServer::ForUnknownUser(startup_.user, world.mock_secret);
  }
  roles_may_be_stale_ = true;
  const Role* role = world.roles.Find(startup_.user);
  if (role == nullptr || !role->can_login || !role->verifier || IsExpired(*role, world.now_s)) {
    return ScramServer::ForUnknownUser(startup_.user, world.mock_secret);
  }
  return ScramServer(startup_.user, *role->verifier);
}

ClientLogin::Step ClientLogin::OnSaslInitial(std::string_view body, wire::OutQueue& out) {
  ByteReader reader(body);
  const std::string_view mechanism = reader.String();
  const int32_t size = reader.I32();
  if (!reader.ok() || size < 0 || reader.rest().size() != static_cast<size_t>(size)) {
    return Fail(Violation("malformed SASLInitialResponse message"), out);
  }
  if (mechanism != kScramMechanism) {
    return Fail(Violation("client selected an invalid SASL authentication mechanism"), out);
  }
  auto server_first = scram_->Start(reader.rest());
  if (!server_first.ok()) return Fail(server_first.status(), out);
  wire::AppendAuthentication(out.Own(), wire::kAuthSaslContinue, *server_first);
  state_ = State::kSaslResponse;
  return Step::kMore;
}

ClientLogin::Step ClientLogin::OnPassword(std::string_view body, wire::OutQueue& out) {
  auto success = scram_->Finish(body);
  scram_.reset();
  if (!success.ok()) return Fail(success.status(), out);
  wire::AppendAuthentication(out.Own(), wire::kAuthSaslFinal, success->server_final);
  keys_ = std::move(success->keys);
  roles_may_be_stale_ = false;
  state_ = State::kDone;
  return Step::kLoggedIn;
}

}  // namespace meridian
