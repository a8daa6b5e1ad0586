#include "proxy/pool/server_login.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "proxy/auth/scram_server.h"
#include "proxy/pool/md5_password.h"
#include "proxy/wire/error_response.h"
#include "proxy/wire/message_writer.h"
#include "proxy/wire/messages.h"
#include "sharding/byte_reader.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// More than PostgreSQL reports; a bound for what is no PostgreSQL.
constexpr size_t kParametersMax = 256;
constexpr size_t kCancelSecretBytesMax = 256;
constexpr size_t kMd5SaltBytes = 4;

// What a session must know of a server's defaults: those to be asked for, and those that every
// server reports.
constexpr std::string_view kAskedDefaults[] = {"search_path", "default_transaction_isolation",
                                               "default_transaction_read_only"};
constexpr std::string_view kReportedDefaults[] = {"client_encoding", "standard_conforming_strings"};

}  // namespace

std::string PoolKey::ToString() const {
  return fmt::format("{}@{}/{}", user, node.ToString(), database);
}

ServerLogin::ServerLogin(const PoolKey& key, ServerCredentials credentials,
                         std::optional<ScramKeys> derived)
    : key_(key), credentials_(std::move(credentials)), derived_(std::move(derived)) {}

void ServerLogin::Start(std::string& out) {
  wire::AppendStartup(out, {{"user", key_.user}, {"database", key_.database}});
}

absl::Status ServerLogin::Violation(std::string_view what) const {
  return SqlStatus(sqlstate::kProtocolViolation, fmt::format("{} {}", Where(), what),
                   "Check that this address is a PostgreSQL server.");
}

absl::Status ServerLogin::NoPassword(std::string_view method) const {
  return SqlStatus(sqlstate::kInvalidPassword,
                   fmt::format("{} asks for the password of role \"{}\" ({}), and there is none",
                               Where(), key_.user, method),
                   "Let the role log in to the proxy by scram-sha-256, put its password in "
                   "server.password_file, or trust the proxy in the node's pg_hba.conf.");
}

absl::Status ServerLogin::ServerError(std::string_view body) const {
  SqlError error = wire::ToSqlError(wire::ParseErrorFields(body));
  if (error.message.empty()) error.message = Where() + " refused the login without a reason";
  if (error.detail.empty()) error.detail = fmt::format("Connecting to {}.", Where());
  return ToStatus(error);
}

absl::StatusOr<ServerLogin::Next> ServerLogin::OnMessage(char type, std::string_view bytes,
                                                         bool starts, bool ends, std::string& out) {
  bytes_ += bytes.size();
  if (bytes_ > kLoginBytesMax) return Violation("sends too much during the login");
  if (starts && ends) return OnWhole(type, bytes.substr(wire::kHeaderBytes), out);
  row_.append(bytes);
  if (!ends) return Next::kMore;
  const std::string whole = std::move(row_);
  row_.clear();
  return OnWhole(type, std::string_view(whole).substr(wire::kHeaderBytes), out);
}

absl::StatusOr<ServerLogin::Next> ServerLogin::OnWhole(char type, std::string_view body,
                                                       std::string& out) {
  absl::Status status;
  switch (type) {
    case wire::kErrorResponse:
      return ServerError(body);
    case wire::kNoticeResponse:
      break;
    case wire::kAuthentication:
      return OnAuthentication(body, out);
    case wire::kParameterStatus:
      status = OnParameterStatus(body);
      break;
    case wire::kBackendKeyData:
      status = OnBackendKeyData(body);
      break;
    case wire::kReadyForQuery:
      return OnReadyForQuery(body, out);
    case wire::kDataRow:
      status = OnDataRow(body);
      break;
    case wire::kRowDescription:
    case wire::kCommandComplete:
      if (state_ == State::kDefaults) break;
      [[fallthrough]];
    default:
      status = Violation("sends what does not belong to a login");
  }
  if (!status.ok()) return status;
  return Next::kMore;
}

absl::StatusOr<ServerLogin::Next> ServerLogin::OnAuthentication(std::string_view body,
                                                                std::string& out) {
  ByteReader reader(body);
  const uint32_t code = reader.U32();
  if (!reader.ok()) return Violation("sends a malformed authentication request");
  if (code == wire::kAuthOk) return OnAuthenticationOk();
  if (code == wire::kAuthSaslContinue && state_ == State::kScramFirst) {
    return OnScramChallenge(reader.rest(), out);
  }
  if (code == wire::kAuthSaslFinal && state_ == State::kScramFinal) {
    if (auto status = scram_->CheckServerFinal(reader.rest()); !status.ok()) return status;
    state_ = State::kScramProved;
    return Next::kMore;
  }
  if (state_ != State::kAuthentication) return Violation("asks for a second authentication");
  switch (code) {
    case wire::kAuthSasl:
      return OnSasl(reader.rest(), out);
    case wire::kAuthMd5Password:
      return OnMd5(reader.rest(), out);
    case wire::kAuthCleartextPassword:
      return OnCleartext(out);
    default:
      return SqlStatus(
          sqlstate::kFeatureNotSupported,
          fmt::format("{} asks for an authentication method that is not supported (code {})",
                      Where(), code),
          "Use scram-sha-256 or trust for the proxy in the node's pg_hba.conf.");
  }
}

absl::StatusOr<ServerLogin::Next> ServerLogin::OnAuthenticationOk() {
  switch (state_) {
    case State::kAuthentication:
    case State::kPasswordSent:
    case State::kScramProved:
      state_ = State::kParameters;
      return Next::kMore;
    case State::kScramFirst:
    case State::kScramKeys:
    case State::kScramFinal:
      return Violation("ends the SCRAM exchange without proving that it knows the password");
    default:
      return Violation("sends AuthenticationOk twice");
  }
}

absl::StatusOr<ServerLogin::Next> ServerLogin::OnSasl(std::string_view mechanisms,
                                                      std::string& out) {
  ByteReader reader(mechanisms);
  bool offered = false;
  for (;;) {
    const std::string_view mechanism = reader.String();
    if (!reader.ok() || mechanism.empty()) break;
    offered = offered || mechanism == kScramMechanism;
  }
  if (!offered) {
    return SqlStatus(sqlstate::kFeatureNotSupported,
                     fmt::format("{} does not offer {}", Where(), kScramMechanism),
                     "Use scram-sha-256 for the proxy in the node's pg_hba.conf.");
  }
  if (!credentials_.keys && !credentials_.password) return NoPassword(kScramMechanism);
  scram_.emplace(key_.user, Where());
  const std::string first = scram_->ClientFirst();
  wire::MessageBuilder(out, wire::kPasswordMessage)
      .String(kScramMechanism)
      .U32(static_cast<uint32_t>(first.size()))
      .Bytes(first);
  state_ = State::kScramFirst;
  return Next::kMore;
}

absl::StatusOr<ServerLogin::Next> ServerLogin::OnScramChallenge(std::string_view data,
                                                                std::string& out) {
  if (auto status = scram_->ReadServerFirst(data); !status.ok()) return status;
  // Each login of a client shows its keys, so they are newer than what a file says.
  if (credentials_.keys && scram_->Answers(*credentials_.keys)) {
    return SendClientFinal(*credentials_.keys, out);
  }
  if (derived_ && scram_->Answers(*derived_)) return SendClientFinal(*derived_, out);
  if (credentials_.password) {
    state_ = State::kScramKeys;
    return Next::kKeys;
  }
  return SendClientFinal(*credentials_.keys, out);  // says what is wrong with them
}

absl::StatusOr<ServerLogin::Next> ServerLogin::SendClientFinal(const ScramKeys& keys,
                                                               std::string& out) {
  auto client_final = scram_->ClientFinal(keys);
  if (!client_final.ok()) return client_final.status();
  wire::MessageBuilder(out, wire::kPasswordMessage).Bytes(*client_final);
  state_ = State::kScramFinal;
  return Next::kMore;
}

absl::Status ServerLogin::OnKeys(ScramKeys keys, std::string& out) {
  if (state_ != State::kScramKeys) return Violation("is not in a SCRAM exchange");
  derived_ = std::move(keys);
  return SendClientFinal(*derived_, out).status();
}

absl::StatusOr<ServerLogin::Next> ServerLogin::OnCleartext(std::string& out) {
  const bool is_socket = key_.node.host.starts_with('/');
  if (!is_socket && !credentials_.allow_cleartext_tcp) {
    return SqlStatus(
        sqlstate::kInvalidAuthorization,
        fmt::format("{} asks for the password of role \"{}\" as plain text, which is refused",
                    Where(), key_.user),
        "Use scram-sha-256 instead of \"password\" for the proxy in the node's pg_hba.conf.");
  }
  if (!credentials_.password) return NoPassword("password");
  wire::MessageBuilder(out, wire::kPasswordMessage).String(*credentials_.password);
  state_ = State::kPasswordSent;
  return Next::kMore;
}

absl::StatusOr<ServerLogin::Next> ServerLogin::OnMd5(std::string_view salt, std::string& out) {
  if (salt.size() != kMd5SaltBytes) return Violation("sends a malformed MD5 request");
  if (!credentials_.password) return NoPassword("md5");
  const auto answer = Md5Password(key_.user, *credentials_.password, salt);
  if (!answer) {
    return SqlStatus(sqlstate::kFeatureNotSupported,
                     Where() + " asks for MD5, which this machine's OpenSSL does not allow",
                     "Use scram-sha-256 for the proxy in the node's pg_hba.conf.");
  }
  wire::MessageBuilder(out, wire::kPasswordMessage).String(*answer);
  state_ = State::kPasswordSent;
  return Next::kMore;
}

absl::Status ServerLogin::OnParameterStatus(std::string_view body) {
  if (state_ != State::kParameters && state_ != State::kDefaults) {
    return Violation("sends parameters before the authentication");
  }
  ByteReader reader(body);
  const std::string_view name = reader.String();
  const std::string_view value = reader.String();
  if (!reader.AtEnd()) return Violation("sends a malformed ParameterStatus");
  if (name == "in_hot_standby") profile_.standby = value == "on";
  auto& parameters = profile_.parameters;
  const auto known = std::find_if(parameters.begin(), parameters.end(),
                                  [name](const auto& entry) { return entry.first == name; });
  if (known != parameters.end()) {
    known->second = std::string(value);
    return absl::OkStatus();
  }
  if (parameters.size() >= kParametersMax) return Violation("reports too many parameters");
  parameters.emplace_back(name, value);
  return absl::OkStatus();
}

absl::Status ServerLogin::OnBackendKeyData(std::string_view body) {
  if (state_ != State::kParameters || !cancel_secret_.empty()) {
    return Violation("sends BackendKeyData out of turn");
  }
  ByteReader reader(body);
  backend_pid_ = reader.U32();
  const std::string_view secret = reader.rest();
  if (!reader.ok() || secret.size() < 4 || secret.size() > kCancelSecretBytesMax) {
    return Violation("sends a malformed BackendKeyData");
  }
  cancel_secret_ = std::string(secret);
  return absl::OkStatus();
}

absl::Status ServerLogin::OnDataRow(std::string_view body) {
  if (state_ != State::kDefaults || !profile_.defaults.empty()) {
    return Violation("sends a row that does not belong to a login");
  }
  ByteReader reader(body);
  bool complete = reader.U16() == std::size(kAskedDefaults);
  for (const std::string_view name : kAskedDefaults) {
    const uint32_t size = reader.U32();
    profile_.defaults.emplace_back(name, reader.Bytes(size));
  }
  complete = complete && reader.AtEnd();
  return complete ? absl::OkStatus() : Violation("does not tell its defaults");
}

std::string_view ServerLogin::DefaultsQuery() {
  static const std::string kQuery = [] {
    std::string sql = "SELECT";
    for (const std::string_view name : kAskedDefaults) {
      fmt::format_to(std::back_inserter(sql), "{} pg_catalog.current_setting('{}')",
                     sql.size() > 6 ? "," : "", name);
    }
    return sql;
  }();
  return kQuery;
}

absl::StatusOr<ServerLogin::Next> ServerLogin::OnReadyForQuery(std::string_view body,
                                                               std::string& out) {
  if (body.size() != 1 || body[0] != wire::kIdle) return Violation("is not ready after the login");
  if (state_ == State::kParameters) {
    wire::AppendQuery(out, DefaultsQuery());
    state_ = State::kDefaults;
    return Next::kMore;
  }
  if (state_ != State::kDefaults || profile_.defaults.empty()) {
    return Violation("is ready before its time");
  }
  for (const auto& parameter : profile_.parameters) {
    if (std::count(std::begin(kReportedDefaults), std::end(kReportedDefaults), parameter.first)) {
      profile_.defaults.push_back(parameter);
    }
  }
  state_ = State::kDone;
  return Next::kDone;
}

}  // namespace meridian
