#include "tests/proxy/session/message_text.h"

#include <fmt/format.h>

#include <optional>
#include <stdexcept>
#include <vector>

#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"

namespace meridian {
namespace {

// Takes words off a line.
class Words {
 public:
  explicit Words(std::string_view line) : line_(line) {}

  bool AtEnd() {
    while (!line_.empty() && line_.front() == ' ') line_.remove_prefix(1);
    return line_.empty();
  }
  std::string Plain() {
    if (AtEnd()) Fail("a word");
    const std::string word(line_.substr(0, line_.find(' ')));
    line_.remove_prefix(word.size());
    return word;
  }
  uint32_t Number() { return static_cast<uint32_t>(std::stoul(Plain())); }
  std::string String(char quote = '"') {
    if (AtEnd() || line_.front() != quote) Fail("a quoted string");
    line_.remove_prefix(1);
    std::string bytes;
    while (!line_.empty() && line_.front() != quote) bytes.push_back(Byte());
    if (line_.empty()) Fail("a closing quote");
    line_.remove_prefix(1);
    return bytes;
  }
  // 'text' or NULL.
  std::optional<std::string> Value() {
    if (!AtEnd() && line_.front() == '\'') return String('\'');
    if (Plain() != "NULL") Fail("a value");
    return std::nullopt;
  }

 private:
  [[noreturn]] void Fail(const std::string& wanted) const {
    throw std::runtime_error(wanted + " is missing at: " + std::string(line_));
  }
  char Take() {
    if (line_.empty()) Fail("the rest of an escape");
    const char byte = line_.front();
    line_.remove_prefix(1);
    return byte;
  }
  char Byte() {
    const char byte = Take();
    if (byte != '\\') return byte;
    switch (const char escaped = Take()) {
      case '0':
        return '\0';
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'x': {
        const std::string digits = {Take(), Take()};
        return static_cast<char>(std::stoi(digits, nullptr, 16));
      }
      case '\\':
      case '"':
      case '\'':
        return escaped;
      default:
        Fail("the meaning of an escape");
    }
  }

  std::string_view line_;
};

std::string Bind(Words& words) {
  std::string message;
  const std::string portal = words.String();
  const std::string statement = words.String();
  std::vector<std::optional<std::string>> values;
  while (!words.AtEnd()) values.push_back(words.Value());
  wire::MessageBuilder bind(message, wire::kBind);
  bind.String(portal).String(statement).U16(0).U16(static_cast<uint16_t>(values.size()));
  for (const auto& value : values) {
    bind.U32(value ? static_cast<uint32_t>(value->size()) : 0xffffffff);
    if (value) bind.Bytes(*value);
  }
  bind.U16(0);
  return message;
}

std::string Parse(Words& words) {
  std::string message;
  const std::string name = words.String();
  const std::string text = words.String();
  std::string types;
  while (!words.AtEnd()) wire::AppendU32(types, words.Number());
  wire::AppendParse(message, name, text, types);
  return message;
}

std::string WithBody(char type, std::string_view body) {
  std::string message;
  wire::MessageBuilder(message, type).Bytes(body);
  return message;
}

std::string About(char type, Words& words) {
  const std::string kind = words.Plain();
  return WithBody(type, kind + words.String() + '\0');
}

std::string Execute(Words& words) {
  std::string message;
  const std::string portal = words.String();
  wire::MessageBuilder(message, wire::kExecute).String(portal).U32(words.Number());
  return message;
}

}  // namespace

std::string Quoted(std::string_view bytes) {
  std::string text = "\"";
  for (const char byte : bytes) {
    if (byte == '\0') {
      text += "\\0";
    } else if (byte == '\n') {
      text += "\\n";
    } else if (byte == '\t') {
      text += "\\t";
    } else if (byte == '\\' || byte == '"') {
      text += {'\\', byte};
    } else if (byte < ' ' || byte > '~') {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    } else {
      text.push_back(byte);
    }
  }
  return text + '"';
}

std::string MessageToText(std::string_view message) {
  const std::string_view body = message.substr(wire::kHeaderBytes);
  return body.empty() ? std::string(1, message[0])
                      : std::string(1, message[0]) + " " + Quoted(body);
}

std::string MessageFromText(std::string_view line) {
  Words words(line);
  const std::string kind = words.Plain();
  if (kind.size() == 1) return WithBody(kind[0], words.AtEnd() ? "" : words.String());
  if (kind == "Query") return WithBody(wire::kQuery, words.String() + '\0');
  if (kind == "Parse") return Parse(words);
  if (kind == "Bind") return Bind(words);
  if (kind == "Describe") return About(wire::kDescribe, words);
  if (kind == "Close") return About(wire::kClose, words);
  if (kind == "Execute") return Execute(words);
  if (kind == "Flush") return WithBody(wire::kFlush, {});
  if (kind == "Sync") return WithBody(wire::kSync, {});
  if (kind == "CopyDone") return WithBody(wire::kCopyDone, {});
  if (kind == "Terminate") return WithBody(wire::kTerminate, {});
  if (kind == "CopyData") return WithBody(wire::kCopyData, words.String());
  if (kind == "CopyFail") return WithBody(wire::kCopyFail, words.String() + '\0');
  if (kind == "Raw") return words.String();
  throw std::runtime_error("what message is this: " + std::string(line));
}

size_t WholeMessage(std::string_view bytes) {
  if (bytes.size() < wire::kHeaderBytes) return 0;
  const size_t size = size_t{LoadU32(bytes.data() + 1)} + 1;
  return size <= bytes.size() ? size : 0;
}

}  // namespace meridian
