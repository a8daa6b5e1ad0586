// Our scanner against PostgreSQL's, by way of libpg_query: where both read the text, the same
// tokens; where PostgreSQL refuses the cut, so do we.
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "router/lex/scanner.h"
#include "tests/fuzz/fuzz.h"
#include "tests/router/lex/pg_scan.h"
#include "tests/router/lex/seeds.h"

namespace meridian {
namespace {

[[noreturn]] void Disagree(const std::string& text, const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  for (const char c : text) std::fprintf(stderr, c >= ' ' ? "%c" : "\\x%02x", c & 0xff);
  std::fprintf(stderr, "\n");
  std::abort();
}

// nullopt: an error token.
std::optional<std::vector<Token>> Scan(const std::string& text, bool standard_conforming_strings) {
  std::vector<Token> tokens;
  Scanner scanner(text, standard_conforming_strings);
  uint32_t end = 0;
  for (;;) {
    const Token token = scanner.Next();
    if (token.kind == TokenKind::kError) return std::nullopt;
    if (token.kind == TokenKind::kEnd) return tokens;
    if (token.range.begin < end || token.range.end <= token.range.begin ||
        token.range.end > text.size()) {
      Disagree(text, "tokens overlap");
    }
    end = token.range.end;
    tokens.push_back(token);
  }
}

bool SameKind(TokenKind ours, int theirs) {
  switch (ours) {
    case TokenKind::kWord:
    case TokenKind::kNational:
      return theirs == pg_token::kIdent || theirs > pg_token::kCComment;
    case TokenKind::kQuotedIdentifier:
      return theirs == pg_token::kIdent;
    case TokenKind::kUnicodeIdentifier:
      return theirs == pg_token::kUident;
    case TokenKind::kInteger:
      return theirs == pg_token::kIconst || theirs == pg_token::kFconst;
    case TokenKind::kNumeric:
      return theirs == pg_token::kFconst;
    case TokenKind::kString:
    case TokenKind::kEscapeString:
    case TokenKind::kDollarString:
      return theirs == pg_token::kSconst;
    case TokenKind::kUnicodeString:
      return theirs == pg_token::kUsconst;
    case TokenKind::kBitString:
      return theirs == pg_token::kBconst || theirs == pg_token::kXconst;
    case TokenKind::kParameter:
      return theirs == pg_token::kParam;
    case TokenKind::kOperator:
      return theirs < 128 || theirs == pg_token::kOp ||
             (theirs >= pg_token::kTypecast && theirs <= pg_token::kNotEquals);
    case TokenKind::kSymbol:
      return theirs < 128;
    case TokenKind::kEnd:
    case TokenKind::kError:
      return false;
  }
  return false;
}

// What PostgreSQL's scanner refuses in the value of a string or an identifier, not in its cut.
bool IsValueError(const std::string& error) {
  for (const char* known : {"Unicode", "byte sequence", "surrogate", "\\'"}) {
    if (error.find(known) != std::string::npos) return true;
  }
  return false;
}

void Compare(const std::string& text) {
  const auto ours = Scan(text, true);
  if (!ours.has_value()) return;  // the safe side
  std::string error;
  const auto theirs = PgScan(text, &error);
  if (!theirs.has_value()) {
    if (!IsValueError(error)) Disagree(text, "PostgreSQL refuses: " + error);
    return;
  }
  if (ours->size() != theirs->size()) Disagree(text, "other number of tokens");
  for (size_t i = 0; i < ours->size(); ++i) {
    const Token& a = (*ours)[i];
    const PgToken& b = (*theirs)[i];
    // pg_query_scan does not tell the end of U&'' and U&"".
    const bool end_known =
        a.kind != TokenKind::kUnicodeString && a.kind != TokenKind::kUnicodeIdentifier;
    if (a.range.begin != b.begin || (end_known && a.range.end != b.end)) {
      Disagree(text, "token " + std::to_string(i) + " is " + std::to_string(b.begin) + ".." +
                         std::to_string(b.end));
    }
    if (!SameKind(a.kind, b.token)) Disagree(text, "other kind of token " + std::to_string(i));
  }
}

}  // namespace
}  // namespace meridian

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  meridian::Scan(text, false);
  // libpg_query reads up to the first zero byte, as the protocol's strings end there.
  if (text.find('\0') == std::string::npos) {
    meridian::Compare(text);
  } else {
    meridian::Scan(text, true);
  }
  return 0;
}

std::vector<std::string> FuzzSeeds() { return meridian::LexSeeds(); }
