// Appends messages to a string.
//
// All lengths are computed in 64 bits; a message that would pass the protocol's limit is the
// caller's bug for messages of our own and must be checked by the caller (kLargeMessageLimit) where
// client bytes go in.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/wire/messages.h"
#include "sharding/sql_status.h"

namespace meridian::wire {

void AppendU16(std::string& out, uint16_t value);
void AppendU32(std::string& out, uint32_t value);
void AppendString(std::string& out, std::string_view text);  // with its zero byte

// Appends header and body of one message: the length is written when the object ends.
class MessageBuilder {
 public:
  MessageBuilder(std::string& out, char type);
  ~MessageBuilder();
  MessageBuilder(const MessageBuilder&) = delete;
  MessageBuilder& operator=(const MessageBuilder&) = delete;

  MessageBuilder& U8(uint8_t value);
  MessageBuilder& U16(uint16_t value);
  MessageBuilder& U32(uint32_t value);
  MessageBuilder& String(std::string_view text);
  MessageBuilder& Bytes(std::string_view bytes);

 private:
  std::string& out_;
  size_t length_at_;
};

// Server to client.
void AppendEmptyMessage(std::string& out, char type);  // '1', '2', '3', 'n', 's', 'I', ...
std::string EmptyMessage(char type);
void AppendCommandComplete(std::string& out, std::string_view tag);
void AppendReadyForQuery(std::string& out, char status);
void AppendParameterStatus(std::string& out, std::string_view name, std::string_view value);
void AppendBackendKeyData(std::string& out, uint32_t pid, std::string_view secret);
void AppendAuthentication(std::string& out, uint32_t code, std::string_view data = {});
enum class Severity : uint8_t { kError, kFatal, kWarning, kNotice };
void AppendError(std::string& out, Severity severity, const SqlError& error);
// A result of text columns only (SHOW meridian.*): RowDescription and DataRow.
void AppendTextRowDescription(std::string& out, std::initializer_list<std::string_view> names);
void AppendTextDataRow(std::string& out, std::initializer_list<std::string_view> values);

// Client to server.
void AppendQuery(std::string& out, std::string_view text);
void AppendParse(std::string& out, std::string_view name, std::string_view text,
                 const std::string_view parameter_types);  // parameter_types: OIDs in network order
void AppendSync(std::string& out);
void AppendClose(std::string& out, char kind, std::string_view name);
void AppendStartup(
    std::string& out,
    const std::initializer_list<std::pair<std::string_view, std::string_view>>& parameters);
void AppendCancelRequest(std::string& out, uint32_t pid, std::string_view secret);

}  // namespace meridian::wire
