// FlattenSetting and SplitIdentifierList of settings.h.
#include <algorithm>
#include <array>

#include "proxy/pool/settings.h"
#include "sharding/ascii.h"
#include "sharding/quote.h"

namespace meridian {
namespace {

// The settings with GUC_LIST_QUOTE (PostgreSQL: src/backend/utils/misc/guc.c).
constexpr std::array<std::string_view, 6> kIdentifierLists = {
    "search_path",
    "temp_tablespaces",
    "local_preload_libraries",
    "session_preload_libraries",
    "shared_preload_libraries",
    "unix_socket_directories",
};
constexpr size_t kIdentifierBytesMax = 63;  // NAMEDATALEN - 1

// PostgreSQL: scanner_isspace.
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

void SkipSpace(std::string_view& text) {
  while (!text.empty() && IsSpace(text[0])) text.remove_prefix(1);
}

// PostgreSQL: truncate_identifier, in UTF-8.
void Truncate(std::string& identifier) {
  if (identifier.size() <= kIdentifierBytesMax) return;
  size_t size = kIdentifierBytesMax;
  while (size > 0 && (static_cast<unsigned char>(identifier[size]) & 0xc0) == 0x80) --size;
  identifier.resize(size);
}

// After the opening quote.
std::optional<std::string> TakeQuoted(std::string_view& text) {
  std::string identifier;
  for (;;) {
    const size_t quote = text.find('"');
    if (quote == std::string_view::npos) return std::nullopt;
    identifier.append(text.substr(0, quote));
    text.remove_prefix(quote + 1);
    if (text.empty() || text[0] != '"') return identifier;
    identifier.push_back('"');
    text.remove_prefix(1);
  }
}

std::optional<std::string> TakeUnquoted(std::string_view& text) {
  size_t size = 0;
  while (size < text.size() && text[size] != ',' && !IsSpace(text[size])) ++size;
  if (size == 0) return std::nullopt;
  std::string identifier(text.substr(0, size));
  std::transform(identifier.begin(), identifier.end(), identifier.begin(), AsciiLower);
  text.remove_prefix(size);
  return identifier;
}

}  // namespace

std::string FlattenSetting(std::string_view name, const std::vector<std::string>& arguments) {
  const bool quote =
      std::any_of(kIdentifierLists.begin(), kIdentifierLists.end(),
                  [name](std::string_view list) { return EqualsIgnoreCase(name, list); });
  std::string value;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (i > 0) value += ", ";
    value += quote ? QuoteIdentifier(arguments[i]) : arguments[i];
  }
  return value;
}

std::optional<std::vector<std::string>> SplitIdentifierList(std::string_view list) {
  std::vector<std::string> identifiers;
  SkipSpace(list);
  if (list.empty()) return identifiers;
  for (;;) {
    std::optional<std::string> identifier;
    if (!list.empty() && list[0] == '"') {
      list.remove_prefix(1);
      identifier = TakeQuoted(list);
    } else {
      identifier = TakeUnquoted(list);
    }
    if (!identifier) return std::nullopt;
    Truncate(*identifier);
    identifiers.push_back(std::move(*identifier));
    SkipSpace(list);
    if (list.empty()) return identifiers;
    if (list[0] != ',') return std::nullopt;
    list.remove_prefix(1);
    SkipSpace(list);
  }
}

}  // namespace meridian
