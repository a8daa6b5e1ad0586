#include "proxy/wire/message_writer.h"

#include "proxy/wire/startup_packet.h"

namespace meridian::wire {
namespace {

void StoreU32(char* at, uint32_t value) {
  at[0] = static_cast<char>(value >> 24);
  at[1] = static_cast<char>(value >> 16);
  at[2] = static_cast<char>(value >> 8);
  at[3] = static_cast<char>(value);
}

constexpr uint32_t kTextOid = 25;

std::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "ERROR";
    case Severity::kFatal:
      return "FATAL";
    case Severity::kWarning:
      return "WARNING";
    case Severity::kNotice:
      return "NOTICE";
  }
  return "ERROR";
}

}  // namespace

void AppendU16(std::string& out, uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}

void AppendU32(std::string& out, uint32_t value) {
  char bytes[4];
  StoreU32(bytes, value);
  out.append(bytes, sizeof bytes);
}

void AppendString(std::string& out, std::string_view text) {
  out.append(text);
  out.push_back('\0');
}

MessageBuilder::MessageBuilder(std::string& out, char type) : out_(out) {
  out_.push_back(type);
  length_at_ = out_.size();
  out_.append(4, '\0');
}

MessageBuilder::~MessageBuilder() {
  StoreU32(out_.data() + length_at_, static_cast<uint32_t>(out_.size() - length_at_));
}

MessageBuilder& MessageBuilder::U8(uint8_t value) {
  out_.push_back(static_cast<char>(value));
  return *this;
}
MessageBuilder& MessageBuilder::U16(uint16_t value) {
  AppendU16(out_, value);
  return *this;
}
MessageBuilder& MessageBuilder::U32(uint32_t value) {
  AppendU32(out_, value);
  return *this;
}
MessageBuilder& MessageBuilder::String(std::string_view text) {
  AppendString(out_, text);
  return *this;
}
MessageBuilder& MessageBuilder::Bytes(std::string_view bytes) {
  out_.append(bytes);
  return *this;
}

std::string EmptyMessage(char type) {
  std::string bytes;
  AppendEmptyMessage(bytes, type);
  return bytes;
}

void AppendEmptyMessage(std::string& out, char type) { MessageBuilder(out, type); }

void AppendCommandComplete(std::string& out, std::string_view tag) {
  MessageBuilder(out, kCommandComplete).String(tag);
}

void AppendReadyForQuery(std::string& out, char status) {
  MessageBuilder(out, kReadyForQuery).U8(static_cast<uint8_t>(status));
}

void AppendParameterStatus(std::string& out, std::string_view name, std::string_view value) {
  MessageBuilder(out, kParameterStatus).String(name).String(value);
}

void AppendBackendKeyData(std::string& out, uint32_t pid, std::string_view secret) {
  MessageBuilder(out, kBackendKeyData).U32(pid).Bytes(secret);
}

void AppendAuthentication(std::string& out, uint32_t code, std::string_view data) {
  MessageBuilder(out, kAuthentication).U32(code).Bytes(data);
}

void AppendError(std::string& out, Severity severity, const SqlError& error) {
  const bool notice = severity == Severity::kWarning || severity == Severity::kNotice;
  MessageBuilder message(out, notice ? kNoticeResponse : kErrorResponse);
  const auto field = [&message](char code, std::string_view value) {
    if (!value.empty()) message.U8(static_cast<uint8_t>(code)).String(value);
  };
  field('S', SeverityName(severity));
  field('V', SeverityName(severity));
  field('C', error.sqlstate);
  field('M', error.message);
  field('D', error.detail);
  field('H', error.hint);
  if (error.position > 0) field('P', std::to_string(error.position));
  message.U8(0);
}

void AppendTextRowDescription(std::string& out, std::initializer_list<std::string_view> names) {
  MessageBuilder message(out, kRowDescription);
  message.U16(static_cast<uint16_t>(names.size()));
  for (const std::string_view name : names) {
    // table OID, column number, type OID, type size, type modifier, format
    message.String(name).U32(0).U16(0).U32(kTextOid).U16(0xffff).U32(0xffffffff).U16(0);
  }
}

void AppendTextDataRow(std::string& out, std::initializer_list<std::string_view> values) {
  MessageBuilder message(out, kDataRow);
  message.U16(static_cast<uint16_t>(values.size()));
  for (const std::string_view value : values) {
    message.U32(static_cast<uint32_t>(value.size())).Bytes(value);
  }
}

void AppendQuery(std::string& out, std::string_view text) {
  MessageBuilder(out, kQuery).String(text);
}

void AppendParse(std::string& out, std::string_view name, std::string_view text,
                 const std::string_view parameter_types) {
  MessageBuilder(out, kParse)
      .String(name)
      .String(text)
      .U16(static_cast<uint16_t>(parameter_types.size() / 4))
      .Bytes(parameter_types);
}

void AppendSync(std::string& out) { out.append(kSyncMessage); }

void AppendClose(std::string& out, char kind, std::string_view name) {
  MessageBuilder(out, kClose).U8(static_cast<uint8_t>(kind)).String(name);
}

void AppendStartup(
    std::string& out,
    const std::initializer_list<std::pair<std::string_view, std::string_view>>& parameters) {
  const size_t start = out.size();
  AppendU32(out, 0);
  AppendU32(out, kProtocol30);
  for (const auto& [name, value] : parameters) {
    AppendString(out, name);
    AppendString(out, value);
  }
  out.push_back('\0');
  StoreU32(out.data() + start, static_cast<uint32_t>(out.size() - start));
}

void AppendCancelRequest(std::string& out, uint32_t pid, std::string_view secret) {
  AppendU32(out, static_cast<uint32_t>(12 + secret.size()));
  AppendU32(out, kCancelRequestCode);
  AppendU32(out, pid);
  out.append(secret);
}

}  // namespace meridian::wire
