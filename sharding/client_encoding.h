// client_encoding: what it means for those who read a client's bytes.
//
// Servers convert what a client sends to the database's encoding before they look at it, so that a
// key that is text is hashed and compared as UTF-8 (text keys need databases of encoding UTF8). Who
// looks at it before the server does must convert as well. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meridian {

// PostgreSQL's encodings (src/include/mb/pg_wchar.h: pg_enc).
enum class ClientEncoding : uint8_t {
  kUtf8,
  kSqlAscii,  // not converted: a server takes the bytes for its own encoding
  kLatin1,
  // The others that a database may have: no byte of a longer character is an ASCII one.
  kLatin2,
  kLatin3,
  kLatin4,
  kLatin5,
  kLatin6,
  kLatin7,
  kLatin8,
  kLatin9,
  kLatin10,
  kWin866,
  kWin874,
  kWin1250,
  kWin1251,
  kWin1252,
  kWin1253,
  kWin1254,
  kWin1255,
  kWin1256,
  kWin1257,
  kWin1258,
  kKoi8R,
  kKoi8U,
  kIso88595,
  kIso88596,
  kIso88597,
  kIso88598,
  kEucCn,
  kEucJp,
  kEucJis2004,
  kEucKr,
  kEucTw,
  kMuleInternal,
  // A backslash or a quote may be half of a character: whoever reads bytes is misled.
  kBig5,
  kGb18030,
  kGbk,
  kJohab,
  kShiftJis2004,
  kSjis,
  kUhc,
};

// By any name that PostgreSQL takes, as it compares them (pg_char_to_encoding: case, and what is
// neither letter nor digit, does not count); nullopt: a server will refuse it.
std::optional<ClientEncoding> ClientEncodingByName(std::string_view name);

// Whether a byte below 0x80 may be a part of a longer character.
bool EmbedsAscii(ClientEncoding encoding);

// Whether text in it is UTF-8 as it is, if a UTF-8 database takes it at all.
bool IsUtf8(ClientEncoding encoding);

// `text` in UTF-8: a view of it where it is that already, else of `scratch` (overwritten). nullopt:
// characters beyond ASCII of an encoding whose tables only a server has.
std::optional<std::string_view> ToUtf8(ClientEncoding encoding, std::string_view text,
                                       std::string* scratch);

}  // namespace meridian
