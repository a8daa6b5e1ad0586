#include "sharding/catalog/text_array.h"

namespace meridian {
namespace {

// Reads one element, up to its ',' or '}'. nullopt where it is malformed or NULL.
std::optional<std::string> ReadElement(std::string_view& text) {
  std::string element;
  const bool quoted = text.starts_with('"');
  if (quoted) text.remove_prefix(1);
  while (!text.empty()) {
    char c = text.front();
    if (quoted ? c == '"' : c == ',' || c == '}') break;
    text.remove_prefix(1);
    if (c == '\\') {
      if (text.empty()) return std::nullopt;
      c = text.front();
      text.remove_prefix(1);
    }
    element += c;
  }
  if (text.empty()) return std::nullopt;
  if (quoted) text.remove_prefix(1);
  if (!quoted && (element.empty() || element == "NULL")) return std::nullopt;
  return element;
}

}  // namespace

std::string FormatTextArray(const std::vector<std::string>& elements) {
  std::string text = "{";
  for (const std::string& element : elements) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (const char c : element) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

std::optional<std::vector<std::string>> ParseTextArray(std::string_view text) {
  std::vector<std::string> elements;
  if (text == "{}") return elements;
  if (!text.starts_with('{')) return std::nullopt;
  do {
    text.remove_prefix(1);
    auto element = ReadElement(text);
    if (!element) return std::nullopt;
    elements.push_back(*std::move(element));
  } while (text.starts_with(','));
  if (text != "}") return std::nullopt;
  return elements;
}

}  // namespace meridian
