#include "router/plan/operand.h"

#include <charconv>
#include <limits>
#include <string>

#include "router/lex/literal.h"
#include "router/plan/array_value.h"

namespace meridian {
namespace {

using Kind = OperandValue::Kind;

constexpr Oid kUnknownOid = 705;
// float8 holds integers up to this exactly.
constexpr int64_t kMaxExactDouble = int64_t{1} << 53;

OperandValue Just(Kind kind) { return {kind, KeyValue()}; }

OperandValue FromStatus(absl::StatusOr<KeyValue>&& value) {
  if (value.ok()) return {Kind::kValue, *std::move(value)};
  if (absl::IsUnimplemented(value.status())) return Just(Kind::kUnknown);
  return Just(Kind::kServerError);
}

// A numeric compared with an integer: equal only where it is integral.
OperandValue IntegerOfDecimal(const Decimal& decimal) {
  const size_t count = decimal.digits.size();
  if (decimal.kind != Decimal::Kind::kFinite) return Just(Kind::kNever);
  if (count == 0) return {Kind::kValue, int64_t{0}};
  if (decimal.exponent < static_cast<int32_t>(count) || decimal.exponent > 19) {
    return Just(Kind::kNever);
  }
  std::string digits = decimal.negative ? "-" : "";
  digits += decimal.digits;
  digits.append(static_cast<size_t>(decimal.exponent) - count, '0');
  int64_t value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (parsed.ec != std::errc()) return Just(Kind::kNever);
  return {Kind::kValue, value};
}

// PostgreSQL compares the integer types with each other and with numeric by value. Any other two
// types are either not comparable or compared by rules (time zones, blanks, ...) that only the
// server applies.
bool Comparable(KeyType value, KeyType column) {
  if (value == column) return true;
  const bool value_is_number = IsIntegerType(value) || value == KeyType::kNumeric;
  const bool column_is_number = IsIntegerType(column) || column == KeyType::kNumeric;
  return value_is_number && column_is_number;
}

// Makes `value`, of type `from`, a key of type `to`. Precondition: Comparable(from, to).
void Convert(OperandValue* value, KeyType from, KeyType to) {
  if (from == to || value->kind != Kind::kValue) return;
  if (from == KeyType::kNumeric) {
    *value = IntegerOfDecimal(std::get<Decimal>(value->value));
  } else if (to == KeyType::kNumeric) {
    const std::string digits = std::to_string(std::get<int64_t>(value->value));
    *value = FromStatus(ParseKeyText(KeyType::kNumeric, digits));
  }
}

OperandValue ReadText(KeyType type, KeyType column, std::string_view text) {
  if (!Comparable(type, column)) return Just(Kind::kUnknown);
  OperandValue value = FromStatus(ParseKeyText(type, text));
  Convert(&value, type, column);
  return value;
}

OperandValue ReadBinary(KeyType type, KeyType column, std::string_view bytes,
                        ClientEncoding encoding) {
  if (!Comparable(type, column)) return Just(Kind::kUnknown);
  if (type == KeyType::kText) {
    std::string scratch;
    const auto text = ToUtf8(encoding, bytes, &scratch);
    return text.has_value() ? FromStatus(ParseKeyBinary(type, *text)) : Just(Kind::kUnknown);
  }
  OperandValue value = FromStatus(ParseKeyBinary(type, bytes));
  Convert(&value, type, column);
  return value;
}

OperandValue ReadNumber(const Operand& operand, LiteralKind kind, std::string_view digits,
                        KeyType column) {
  // A cast of a number: integers to other integers keep their value (or fail); anything that may
  // round, or write the number as text, is the server's.
  if (operand.cast.has_value()) {
    const bool keeps = *operand.cast == KeyType::kNumeric ||
                       (kind == LiteralKind::kInteger && IsIntegerType(*operand.cast));
    if (!keeps || !Comparable(*operand.cast, column)) return Just(Kind::kUnknown);
  }
  if (kind == LiteralKind::kInteger && IsIntegerType(column)) {
    int64_t value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) {
      return Just(Kind::kUnknown);
    }
    return {Kind::kValue, operand.negative ? -value : value};
  }
  if (!Comparable(KeyType::kNumeric, column)) return Just(Kind::kUnknown);
  std::string number = operand.negative ? "-" : "";
  number += digits;
  return ReadText(KeyType::kNumeric, column, number);
}

// What a server finds in a literal, in UTF-8. It converts the text before it reads escapes, whose
// bytes are in the database's encoding already.
std::optional<std::string_view> TextOfLiteral(const Values& values, const Literal& literal,
                                              bool standard_conforming_strings,
                                              std::string* scratch) {
  if (IsUtf8(values.encoding) || literal.range.end > values.text.size()) {
    return DecodeLiteral(values.text, literal, standard_conforming_strings, scratch);
  }
  std::string converted;
  const auto bytes = ToUtf8(
      values.encoding, values.text.substr(literal.range.begin, literal.range.size()), &converted);
  if (!bytes.has_value()) return std::nullopt;
  std::string decoded;
  const auto text = DecodeLiteral(*bytes, {{0, static_cast<uint32_t>(bytes->size())}, literal.kind},
                                  standard_conforming_strings, &decoded);
  if (!text.has_value()) return std::nullopt;
  return scratch->assign(*text);
}

OperandValue ReadLiteral(const Operand& operand, KeyType column, const Values& values,
                         bool standard_conforming_strings) {
  if (operand.index >= values.literals.size()) return Just(Kind::kUnknown);
  const Literal& literal = values.literals[operand.index];
  std::string scratch;
  const auto text = TextOfLiteral(values, literal, standard_conforming_strings, &scratch);
  if (!text.has_value()) return Just(Kind::kUnknown);
  if (literal.kind == LiteralKind::kInteger || literal.kind == LiteralKind::kNumeric) {
    return ReadNumber(operand, literal.kind, *text, column);
  }
  if (literal.kind == LiteralKind::kBitString) return Just(Kind::kUnknown);
  return ReadText(operand.cast.value_or(column), column, *text);
}

// A parameter without declared type that stands in several places: PostgreSQL infers its type where
// it stands first, which the planner does not know. What is left are values that each type which
// compares with the column (integers, numeric, float8; only uuid; only bytea) reads the same; text
// it may cut or strip.
OperandValue ReadShared(KeyType column, const Parameter& parameter) {
  if (parameter.binary) return Just(Kind::kUnknown);
  const OperandValue value = ReadText(column, column, *parameter.value);
  if (value.kind != Kind::kValue) return Just(Kind::kUnknown);
  if (IsIntegerType(column)) {
    const int64_t number = std::get<int64_t>(value.value);
    const bool exact = number < kMaxExactDouble && number > -kMaxExactDouble;
    return exact ? value : Just(Kind::kUnknown);
  }
  return column == KeyType::kUuid || column == KeyType::kBytea ? value : Just(Kind::kUnknown);
}

OperandValue ReadUndeclared(const Operand& operand, KeyType column, const Parameter& parameter,
                            ClientEncoding encoding) {
  const KeyType type = operand.cast.value_or(column);
  if (!Comparable(type, column)) return Just(Kind::kUnknown);
  if (operand.shared_parameter) return ReadShared(column, parameter);
  return parameter.binary ? ReadBinary(type, column, *parameter.value, encoding)
                          : ReadText(type, column, *parameter.value);
}

OperandValue ReadParameter(const Operand& operand, KeyType column, const Values& values) {
  // Fewer values than the statement has parameters: the server refuses the Bind.
  if (operand.index >= values.parameters.size()) return Just(Kind::kServerError);
  Parameter parameter = values.parameters[operand.index];
  if (!parameter.value.has_value()) return Just(Kind::kNull);
  std::string scratch;
  if (!parameter.binary) {
    parameter.value = ToUtf8(values.encoding, *parameter.value, &scratch);
    if (!parameter.value.has_value()) return Just(Kind::kUnknown);
  }
  if (parameter.type == 0 || parameter.type == kUnknownOid) {
    return ReadUndeclared(operand, column, parameter, values.encoding);
  }
  const std::optional<KeyType> declared = KeyTypeByOid(parameter.type);
  if (!declared.has_value()) return Just(Kind::kUnknown);
  if (operand.cast.has_value() && *operand.cast != *declared &&
      !(IsIntegerType(*operand.cast) && IsIntegerType(*declared))) {
    // $1::int with $1 declared text: the cast reads the text as the type's input does.
    if (*declared != KeyType::kText) return Just(Kind::kUnknown);
    return ReadText(*operand.cast, column, *parameter.value);
  }
  return parameter.binary ? ReadBinary(*declared, column, *parameter.value, values.encoding)
                          : ReadText(*declared, column, *parameter.value);
}

template <typename Read>
void ReadElements(const ArrayElements& array, Read read, std::vector<OperandValue>* elements) {
  for (const std::optional<std::string>& element : array.values) {
    elements->push_back(element.has_value() ? read(*element) : Just(Kind::kNull));
  }
}

bool ReadTextArray(std::string_view text, KeyType type, KeyType column,
                   std::vector<OperandValue>* elements) {
  const std::optional<ArrayElements> array = ParseTextArray(text);
  if (!array.has_value()) return false;
  ReadElements(
      *array, [&](std::string_view element) { return ReadText(type, column, element); }, elements);
  return true;
}

bool ReadArrayParameter(const Operand& operand, KeyType column, const Values& values,
                        std::vector<OperandValue>* elements) {
  if (operand.index >= values.parameters.size()) {
    elements->push_back(Just(Kind::kServerError));
    return true;
  }
  const Parameter& parameter = values.parameters[operand.index];
  if (!parameter.value.has_value()) return true;
  KeyType type = operand.cast.value_or(column);
  if (parameter.type != 0 && parameter.type != kUnknownOid) {
    const std::optional<KeyType> declared = KeyTypeOfArrayOid(parameter.type);
    if (!declared.has_value()) return false;
    if (operand.cast.has_value() && *operand.cast != *declared) return false;
    type = *declared;
  } else if (operand.shared_parameter) {
    return false;
  }
  if (!Comparable(type, column)) return false;
  if (!parameter.binary) {
    std::string scratch;
    const auto text = ToUtf8(values.encoding, *parameter.value, &scratch);
    return text.has_value() && ReadTextArray(*text, type, column, elements);
  }
  const std::optional<ArrayElements> array = ParseBinaryArray(*parameter.value);
  if (!array.has_value()) return false;
  if (!array->values.empty() && KeyTypeByOid(array->type) != type) return false;
  ReadElements(
      *array,
      [&](std::string_view bytes) { return ReadBinary(type, column, bytes, values.encoding); },
      elements);
  return true;
}

}  // namespace

OperandValue ReadOperand(const Operand& operand, KeyType type, const Values& values,
                         bool standard_conforming_strings) {
  switch (operand.source) {
    case Operand::Source::kLiteral:
      return ReadLiteral(operand, type, values, standard_conforming_strings);
    case Operand::Source::kParameter:
      return ReadParameter(operand, type, values);
    case Operand::Source::kNull:
      break;
  }
  return Just(Kind::kNull);
}

bool ReadArrayOperand(const Operand& operand, KeyType type, const Values& values,
                      bool standard_conforming_strings, std::vector<OperandValue>* elements) {
  if (operand.source == Operand::Source::kNull) return true;
  if (operand.source == Operand::Source::kParameter) {
    return ReadArrayParameter(operand, type, values, elements);
  }
  if (operand.index >= values.literals.size()) return false;
  std::string scratch;
  const auto text =
      TextOfLiteral(values, values.literals[operand.index], standard_conforming_strings, &scratch);
  const KeyType element_type = operand.cast.value_or(type);
  return text.has_value() && Comparable(element_type, type) &&
         ReadTextArray(*text, element_type, type, elements);
}

}  // namespace meridian
