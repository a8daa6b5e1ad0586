#include "sharding/client_encoding.h"

#include <algorithm>
#include <iterator>

#include "sharding/ascii.h"

namespace meridian {
namespace {

struct EncodingName {
  std::string_view name;
  ClientEncoding encoding;
};

// In order. PostgreSQL: src/common/encnames.c, pg_encname_tbl.
constexpr EncodingName kNames[] = {
    {"abc", ClientEncoding::kWin1258},
    {"alt", ClientEncoding::kWin866},
    {"big5", ClientEncoding::kBig5},
    {"euccn", ClientEncoding::kEucCn},
    {"eucjis2004", ClientEncoding::kEucJis2004},
    {"eucjp", ClientEncoding::kEucJp},
    {"euckr", ClientEncoding::kEucKr},
    {"euctw", ClientEncoding::kEucTw},
    {"gb18030", ClientEncoding::kGb18030},
    {"gbk", ClientEncoding::kGbk},
    {"iso88591", ClientEncoding::kLatin1},
    {"iso885910", ClientEncoding::kLatin6},
    {"iso885913", ClientEncoding::kLatin7},
    {"iso885914", ClientEncoding::kLatin8},
    {"iso885915", ClientEncoding::kLatin9},
    {"iso885916", ClientEncoding::kLatin10},
    {"iso88592", ClientEncoding::kLatin2},
    {"iso88593", ClientEncoding::kLatin3},
    {"iso88594", ClientEncoding::kLatin4},
    {"iso88595", ClientEncoding::kIso88595},
    {"iso88596", ClientEncoding::kIso88596},
    {"iso88597", ClientEncoding::kIso88597},
    {"iso88598", ClientEncoding::kIso88598},
    {"iso88599", ClientEncoding::kLatin5},
    {"johab", ClientEncoding::kJohab},
    {"koi8", ClientEncoding::kKoi8R},
    {"koi8r", ClientEncoding::kKoi8R},
    {"koi8u", ClientEncoding::kKoi8U},
    {"latin1", ClientEncoding::kLatin1},
    {"latin10", ClientEncoding::kLatin10},
    {"latin2", ClientEncoding::kLatin2},
    {"latin3", ClientEncoding::kLatin3},
    {"latin4", ClientEncoding::kLatin4},
    {"latin5", ClientEncoding::kLatin5},
    {"latin6", ClientEncoding::kLatin6},
    {"latin7", ClientEncoding::kLatin7},
    {"latin8", ClientEncoding::kLatin8},
    {"latin9", ClientEncoding::kLatin9},
    {"mskanji", ClientEncoding::kSjis},
    {"muleinternal", ClientEncoding::kMuleInternal},
    {"shiftjis", ClientEncoding::kSjis},
    {"shiftjis2004", ClientEncoding::kShiftJis2004},
    {"sjis", ClientEncoding::kSjis},
    {"sqlascii", ClientEncoding::kSqlAscii},
    {"tcvn", ClientEncoding::kWin1258},
    {"tcvn5712", ClientEncoding::kWin1258},
    {"uhc", ClientEncoding::kUhc},
    {"unicode", ClientEncoding::kUtf8},
    {"utf8", ClientEncoding::kUtf8},
    {"vscii", ClientEncoding::kWin1258},
    {"win", ClientEncoding::kWin1251},
    {"win1250", ClientEncoding::kWin1250},
    {"win1251", ClientEncoding::kWin1251},
    {"win1252", ClientEncoding::kWin1252},
    {"win1253", ClientEncoding::kWin1253},
    {"win1254", ClientEncoding::kWin1254},
    {"win1255", ClientEncoding::kWin1255},
    {"win1256", ClientEncoding::kWin1256},
    {"win1257", ClientEncoding::kWin1257},
    {"win1258", ClientEncoding::kWin1258},
    {"win866", ClientEncoding::kWin866},
    {"win874", ClientEncoding::kWin874},
    {"win932", ClientEncoding::kSjis},
    {"win936", ClientEncoding::kGbk},
    {"win949", ClientEncoding::kUhc},
    {"win950", ClientEncoding::kBig5},
    {"windows1250", ClientEncoding::kWin1250},
    {"windows1251", ClientEncoding::kWin1251},
    {"windows1252", ClientEncoding::kWin1252},
    {"windows1253", ClientEncoding::kWin1253},
    {"windows1254", ClientEncoding::kWin1254},
    {"windows1255", ClientEncoding::kWin1255},
    {"windows1256", ClientEncoding::kWin1256},
    {"windows1257", ClientEncoding::kWin1257},
    {"windows1258", ClientEncoding::kWin1258},
    {"windows866", ClientEncoding::kWin866},
    {"windows874", ClientEncoding::kWin874},
    {"windows932", ClientEncoding::kSjis},
    {"windows936", ClientEncoding::kGbk},
    {"windows949", ClientEncoding::kUhc},
    {"windows950", ClientEncoding::kBig5},
};
static_assert(std::is_sorted(std::begin(kNames), std::end(kNames),
                             [](const EncodingName& a, const EncodingName& b) {
                               return a.name < b.name;
                             }));

}  // namespace

std::optional<ClientEncoding> ClientEncodingByName(std::string_view name) {
  std::string folded;
  for (const char c : name) {
    const char lower = AsciiLower(c);
    if (IsAsciiDigit(lower) || (lower >= 'a' && lower <= 'z')) folded.push_back(lower);
  }
  const auto found =
      std::lower_bound(std::begin(kNames), std::end(kNames), folded,
                       [](const EncodingName& a, const std::string& b) { return a.name < b; });
  if (found == std::end(kNames) || found->name != folded) return std::nullopt;
  return found->encoding;
}

bool EmbedsAscii(ClientEncoding encoding) { return encoding >= ClientEncoding::kBig5; }

bool IsUtf8(ClientEncoding encoding) {
  return encoding == ClientEncoding::kUtf8 || encoding == ClientEncoding::kSqlAscii;
}

std::optional<std::string_view> ToUtf8(ClientEncoding encoding, std::string_view text,
                                       std::string* scratch) {
  if (IsUtf8(encoding)) return text;
  if (!EmbedsAscii(encoding) && IsAscii(text)) return text;
  if (encoding != ClientEncoding::kLatin1) return std::nullopt;
  // ISO 8859-1: a byte is its code point.
  scratch->clear();
  for (const char c : text) {
    const auto code_point = static_cast<uint8_t>(c);
    if (code_point < 0x80) {
      scratch->push_back(c);
    } else {
      scratch->push_back(static_cast<char>(0xC0 | code_point >> 6));
      scratch->push_back(static_cast<char>(0x80 | (code_point & 0x3F)));
    }
  }
  return *scratch;
}

}  // namespace meridian
