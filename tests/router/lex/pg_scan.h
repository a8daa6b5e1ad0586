// libpg_query's own scanner as an oracle for ours: the tokens of pg_query_scan.
#pragma once

#include <pg_query.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meridian {

struct PgToken {
  uint32_t begin = 0;
  uint32_t end = 0;
  int token = 0;  // pg_query.proto: enum Token
};

// From pg_query.proto, enum Token. Below 256: the character itself.
namespace pg_token {
inline constexpr int kIdent = 258, kUident = 259, kFconst = 260, kSconst = 261, kUsconst = 262,
                     kBconst = 263, kXconst = 264, kOp = 265, kIconst = 266, kParam = 267,
                     kTypecast = 268, kNotEquals = 274, kSqlComment = 275, kCComment = 276;
}

namespace pg_scan_internal {

// Protocol Buffers, "Encoding": base 128 varints.
inline uint64_t TakeVarint(std::string_view* bytes) {
  uint64_t value = 0;
  for (int shift = 0; !bytes->empty() && shift < 64; shift += 7) {
    const uint8_t byte = bytes->front();
    bytes->remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

inline PgToken TakeToken(std::string_view bytes) {
  PgToken token;
  while (!bytes.empty()) {
    const uint64_t field = TakeVarint(&bytes) >> 3;
    const uint64_t value = TakeVarint(&bytes);
    if (field == 1) token.begin = value;
    if (field == 2) token.end = value;
    if (field == 4) token.token = static_cast<int>(value);
  }
  return token;
}

inline std::vector<PgToken> TokensOf(std::string_view message) {
  constexpr uint64_t kLengthDelimited = 2;
  std::vector<PgToken> tokens;
  while (!message.empty()) {
    const uint64_t tag = TakeVarint(&message);
    const uint64_t value = TakeVarint(&message);
    if ((tag & 7) != kLengthDelimited) continue;
    const PgToken token = TakeToken(message.substr(0, value));
    message.remove_prefix(value);
    if (token.token != pg_token::kSqlComment && token.token != pg_token::kCComment) {
      tokens.push_back(token);
    }
  }
  return tokens;
}

}  // namespace pg_scan_internal

// Without comments; nullopt where PostgreSQL's scanner refuses the text (`error`: why).
inline std::optional<std::vector<PgToken>> PgScan(const std::string& text, std::string* error) {
  const PgQueryScanResult result = pg_query_scan(text.c_str());
  std::optional<std::vector<PgToken>> tokens;
  if (result.error == nullptr) {
    tokens = pg_scan_internal::TokensOf({result.pbuf.data, result.pbuf.len});
  } else {
    *error = result.error->message;
  }
  pg_query_free_scan_result(result);
  return tokens;
}

}  // namespace meridian
