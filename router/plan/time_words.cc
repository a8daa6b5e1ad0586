#include "router/plan/time_words.h"

#include <string>

#include "router/lex/literal.h"
#include "sharding/ascii.h"

namespace meridian {
namespace {

bool IsTimeWord(std::string_view text) {
  text = StripSpace(text);
  std::string word;
  size_t at = 0;
  for (; at < text.size() && AsciiLower(text[at]) >= 'a' && AsciiLower(text[at]) <= 'z'; ++at) {
    word.push_back(AsciiLower(text[at]));
  }
  if (word != "now" && word != "today" && word != "tomorrow" && word != "yesterday") return false;
  // 'now' and 'today 12:00', but not 'now available'.
  text = StripSpace(text.substr(at));
  return text.empty() || (text[0] >= '0' && text[0] <= '9');
}

}  // namespace

bool HasTimeWord(const Values& values, bool standard_conforming_strings) {
  std::string scratch;
  for (const Literal& literal : values.literals) {
    const auto text = DecodeLiteral(values.text, literal, standard_conforming_strings, &scratch);
    if (text.has_value() && IsTimeWord(*text)) return true;
  }
  for (const Parameter& parameter : values.parameters) {
    if (!parameter.binary && parameter.value.has_value() && IsTimeWord(*parameter.value)) {
      return true;
    }
  }
  return false;
}

}  // namespace meridian
