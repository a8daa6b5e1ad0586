#include "metrics/log_format.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace meridian {
namespace {

// The length of the well-formed UTF-8 sequence that `text` begins with; 0 if it is ill-formed.
// (Unicode Standard, table 3-7.)
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(i < text.size() ? text[i] : 0); };
  const auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
    if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogate
    return continues(1) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // beyond U+10FFFF
    return continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

enum class Quotes : uint8_t { kEscape, kKeep };

// Cut at kLogValueBytesMax, with a note of how much is missing.
void AppendEscaped(std::string& out, std::string_view text, Quotes quotes) {
  const size_t cut = text.size() > kLogValueBytesMax ? text.size() - kLogValueBytesMax : 0;
  text.remove_suffix(cut);
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const char c = text.front();
    if (length == 0) {
      out += "\\ufffd";
    } else if (length > 1) {
      out += text.substr(0, length);
    } else if (quotes == Quotes::kEscape && (c == '"' || c == '\\')) {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  if (cut > 0) fmt::format_to(std::back_inserter(out), "... ({} bytes more)", cut);
}

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  AppendEscaped(out, text, Quotes::kEscape);
  out += '"';
}

bool IsPlain(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  }
  return !text.empty() && text.size() <= kLogValueBytesMax;
}

// Numbers and booleans look the same in both forms.
void AppendValue(std::string& out, const LogValue& value, bool quote_always) {
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          if (quote_always || !IsPlain(v)) {
            AppendQuoted(out, v);
          } else {
            out += v;
          }
        } else if constexpr (std::is_same_v<T, double>) {
          if (std::isfinite(v)) {
            fmt::format_to(std::back_inserter(out), "{:.6g}", v);
          } else {
            out += "null";  // JSON has no other word for it
          }
        } else {
          fmt::format_to(std::back_inserter(out), "{}", v);
        }
      },
      value.variant());
}

}  // namespace

std::string FormatLogText(std::string_view message, LogFields fields) {
  std::string line;
  AppendEscaped(line, message, Quotes::kKeep);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    AppendValue(line, field.value, /*quote_always=*/false);
  }
  return line;
}

std::string FormatLogJson(std::string_view message, LogFields fields) {
  std::string line = "\"message\":";
  AppendQuoted(line, message);
  for (const LogField& field : fields) {
    line += ",\"";
    line += field.key;
    line += "\":";
    AppendValue(line, field.value, /*quote_always=*/true);
  }
  return line;
}

}  // namespace meridian
