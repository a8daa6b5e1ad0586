#include "proxy/wire/startup_packet.h"

#include <algorithm>

#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"
#include "sharding/sql_status.h"

namespace meridian::wire {
namespace {

absl::StatusOr<StartupPacket> ParseCancel(ByteReader reader) {
  CancelRequest cancel;
  cancel.pid = reader.U32();
  cancel.secret = std::string(reader.rest());
  if (!reader.ok() || cancel.secret.size() < 4 || cancel.secret.size() > 256) {
    return SqlStatus(sqlstate::kProtocolViolation, "invalid length of cancel request packet");
  }
  return cancel;
}

bool IsReplicationRequested(std::string_view value) {
  // The spellings of false that parse_bool takes; anything else asks for a walsender.
  std::string lower(value);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return !(lower == "false" || lower == "off" || lower == "no" || lower == "0" || lower == "f" ||
           lower == "n" || lower == "of" || lower == "fals" || lower == "fal" || lower == "fa");
}

absl::Status AddParameter(std::string_view name, std::string_view value, StartupMessage& message) {
  if (name == "user") {
    message.user = std::string(value);
  } else if (name == "database") {
    message.database = std::string(value);
  } else if (name == "replication") {
    message.replication = IsReplicationRequested(value);
  } else if (name == "options") {
    auto options = ParseOptions(value);
    if (!options.ok()) return options.status();
    for (auto& option : *options) message.settings.push_back(std::move(option));
  } else if (name.starts_with("_pq_.")) {
    message.unknown_protocol_options.emplace_back(name);
  } else {
    message.settings.emplace_back(name, value);
  }
  return absl::OkStatus();
}

absl::StatusOr<StartupPacket> ParseStartup(uint32_t version, ByteReader reader) {
  StartupMessage message;
  message.major = static_cast<uint16_t>(version >> 16);
  message.minor = static_cast<uint16_t>(version);
  if (message.major != 3) {
    return SqlStatus(sqlstate::kFeatureNotSupported,
                     "unsupported frontend protocol " + std::to_string(message.major) + "." +
                         std::to_string(message.minor) + ": server supports 3.0 to 3.0");
  }
  for (;;) {
    const std::string_view name = reader.String();
    if (!reader.ok()) break;
    if (name.empty()) {
      if (!reader.AtEnd()) break;
      if (message.user.empty()) {
        return SqlStatus(sqlstate::kInvalidAuthorization,
                         "no PostgreSQL user name specified in startup packet");
      }
      if (message.database.empty()) message.database = message.user;
      return message;
    }
    const std::string_view value = reader.String();
    if (!reader.ok()) break;
    if (auto status = AddParameter(name, value, message); !status.ok()) return status;
  }
  return SqlStatus(sqlstate::kProtocolViolation,
                   "invalid startup packet layout: expected terminator as last byte");
}

// Splits at white space that no backslash escapes.
std::vector<std::string> SplitOptions(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      in_word = false;
      continue;
    }
    if (c == '\\' && i + 1 < text.size()) c = text[++i];
    if (!in_word) words.emplace_back();
    in_word = true;
    words.back().push_back(c);
  }
  return words;
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseOptions(
    std::string_view text) {
  std::vector<std::pair<std::string, std::string>> settings;
  const std::vector<std::string> words = SplitOptions(text);
  for (size_t i = 0; i < words.size(); ++i) {
    std::string assignment;
    if (words[i] == "-c" && i + 1 < words.size()) {
      assignment = words[++i];
    } else if (words[i].starts_with("-c") || words[i].starts_with("--")) {
      assignment = words[i].substr(2);
    } else {
      return SqlStatus(sqlstate::kSyntaxError,
                       "invalid command-line argument for server process: " + words[i],
                       "Only settings can be given in options: -c name=value.");
    }
    const size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      return SqlStatus(sqlstate::kSyntaxError, "-c " + assignment + " requires a value");
    }
    std::string name = assignment.substr(0, equals);
    std::replace(name.begin(), name.end(), '-', '_');
    settings.emplace_back(std::move(name), assignment.substr(equals + 1));
  }
  return settings;
}

bool IsCancelRequest(std::string_view packet) {
  ByteReader reader(packet);
  reader.U32();
  return reader.U32() == kCancelRequestCode && reader.ok();
}

absl::StatusOr<StartupPacket> ParseStartupPacket(std::string_view packet) {
  ByteReader reader(packet);
  reader.U32();
  const uint32_t code = reader.U32();
  if (!reader.ok()) {
    return SqlStatus(sqlstate::kProtocolViolation, "invalid length of startup packet");
  }
  switch (code) {
    case kSslRequestCode:
      return SslRequest{};
    case kGssEncRequestCode:
      return GssEncRequest{};
    case kCancelRequestCode:
      return ParseCancel(reader);
    default:
      return ParseStartup(code, reader);
  }
}

void AppendNegotiateProtocolVersion(std::string& out,
                                    const std::vector<std::string>& unknown_options) {
  MessageBuilder message(out, kNegotiateProtocolVersion);
  message.U32(kProtocol30).U32(static_cast<uint32_t>(unknown_options.size()));
  for (const std::string& option : unknown_options) message.String(option);
}

}  // namespace meridian::wire
