#include "sharding/admin/cursor.h"

#include <fmt/format.h>

#include <charconv>

#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr size_t kMaxNameBytes = 63;

// digits [. digits] [e [sign] digits], at least one digit before the exponent.
bool IsNumber(std::string_view text) {
  size_t digits = LeadingDigits(text);
  text.remove_prefix(digits);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    digits += LeadingDigits(text);
    text.remove_prefix(LeadingDigits(text));
  }
  if (digits == 0) return false;
  if (text.empty()) return true;
  if (AsciiLower(text[0]) != 'e') return false;
  text.remove_prefix(1);
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && LeadingDigits(text) == text.size();
}

}  // namespace

Cursor::Cursor(std::string_view text, absl::Span<const AdminToken> tokens)
    : text_(text), tokens_(tokens) {}

const AdminToken& Cursor::Peek(size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

bool Cursor::IsKeyword(std::string_view keyword, size_t ahead) const {
  return Peek(ahead).kind == AdminToken::Kind::kName && Peek(ahead).value == keyword;
}

void Cursor::Advance() {
  if (!AtEnd()) ++at_;
}

bool Cursor::AcceptKeyword(std::string_view keyword) {
  if (!status_.ok() || !IsKeyword(keyword)) return false;
  Advance();
  return true;
}

bool Cursor::IsSymbol(char symbol) const {
  return status_.ok() && !AtEnd() && Peek().kind == AdminToken::Kind::kSymbol &&
         Peek().value[0] == symbol;
}

bool Cursor::AcceptSymbol(char symbol) {
  if (!IsSymbol(symbol)) return false;
  Advance();
  return true;
}

void Cursor::TakeKeyword(std::string_view keyword) {
  if (!AcceptKeyword(keyword)) FailHere();
}

void Cursor::TakeSymbol(char symbol) {
  if (!AcceptSymbol(symbol)) FailHere();
}

std::string Cursor::TakeName() {
  const AdminToken& token = Peek();
  if (token.kind != AdminToken::Kind::kName && token.kind != AdminToken::Kind::kQuotedName) {
    FailHere();
  } else if (token.value.size() > kMaxNameBytes) {
    FailAt(PositionHere(), SqlStatus("42622", fmt::format("the name \"{}\" is longer than {} bytes",
                                                          token.value, kMaxNameBytes)));
  }
  if (!status_.ok()) return {};
  Advance();
  return token.value;
}

std::vector<std::string> Cursor::TakeNames() {
  std::vector<std::string> names = {TakeName()};
  while (AcceptSymbol(',')) names.push_back(TakeName());
  return names;
}

std::string Cursor::TakeString() {
  const AdminToken& token = Peek();
  if (token.kind != AdminToken::Kind::kString) FailHere();
  if (!status_.ok()) return {};
  Advance();
  return token.value;
}

BoundLiteral Cursor::TakeLiteral() {
  BoundLiteral literal{{}, false, PositionHere()};
  if (Peek().kind == AdminToken::Kind::kString) {
    literal.quoted = true;
    literal.text = TakeString();
    return literal;
  }
  if (AcceptSymbol('-')) {
    literal.text.push_back('-');
  } else {
    AcceptSymbol('+');
  }
  if (Peek().kind != AdminToken::Kind::kNumber) {
    FailHere();
  } else if (!IsNumber(Peek().value)) {
    FailAt(PositionHere(), SqlStatus(sqlstate::kSyntaxError,
                                     fmt::format("trailing junk after numeric literal at or near "
                                                 "\"{}\"",
                                                 Peek().value)));
  }
  if (!status_.ok()) return {};
  literal.text += Peek().value;
  Advance();
  return literal;
}

uint64_t Cursor::TakeUnsigned() {
  uint64_t number = 0;
  const std::string& digits = Peek().value;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (Peek().kind != AdminToken::Kind::kNumber || error != std::errc() ||
      end != digits.data() + digits.size()) {
    FailHere();
  }
  if (!status_.ok()) return 0;
  Advance();
  return number;
}

TableName Cursor::TakeTable() {
  TableName table{"public", TakeName()};
  if (AcceptSymbol('.')) {
    table.schema = std::move(table.name);
    table.name = TakeName();
    if (AcceptSymbol('.')) {
      Fail(Refused("cross-database references are not implemented",
                   "Name the table as schema.table; every shard has one database."));
    }
  }
  return table;
}

std::string Cursor::TakeRest() {
  if (AtEnd() || !status_.ok()) return {};
  const size_t begin = Peek().begin;
  const size_t end = tokens_[tokens_.size() - 2].end;
  at_ = tokens_.size() - 1;
  return std::string(text_.substr(begin, end - begin));
}

void Cursor::TakeEnd() {
  if (!AtEnd()) FailHere();
}

int Cursor::PositionHere() const { return CharacterPosition(text_, Peek().begin); }

void Cursor::FailHere() {
  const AdminToken& token = Peek();
  if (token.kind == AdminToken::Kind::kParameter) {
    Fail(Refused("the admin database takes no statement parameters",
                 "Write the value into the statement."));
  }
  const std::string near(text_.substr(token.begin, token.end - token.begin));
  FailAt(PositionHere(), SqlStatus(sqlstate::kSyntaxError,
                                   token.kind == AdminToken::Kind::kEnd
                                       ? "syntax error at end of input"
                                       : fmt::format("syntax error at or near \"{}\"", near)));
}

void Cursor::Fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

void Cursor::FailAt(int position, const absl::Status& status) {
  SqlError error = ToSqlError(status);
  error.position = position;
  Fail(ToStatus(error));
}

}  // namespace meridian
