#include <algorithm>
#include <limits>

#include "router/lex/scanner.h"
#include "router/parse/views.h"
#include "router/plan/functions.h"
#include "router/plan/planning.h"
#include "sharding/ascii.h"

namespace meridian {
namespace {

// The names of pg_type; those that only the grammar knows (integer, timestamp with time zone) it
// has turned into these. PostgreSQL: src/include/catalog/pg_type.dat.
struct NamedType {
  std::string_view name;
  KeyType type;
  Oid oid;
  Oid array_oid;
};
constexpr NamedType kTypes[] = {
    {"int2", KeyType::kSmallint, 21, 1005},
    {"int4", KeyType::kInteger, 23, 1007},
    {"int8", KeyType::kBigint, 20, 1016},
    {"text", KeyType::kText, 25, 1009},
    {"varchar", KeyType::kText, 1043, 1015},
    {"uuid", KeyType::kUuid, 2950, 2951},
    {"date", KeyType::kDate, 1082, 1182},
    {"timestamp", KeyType::kTimestamp, 1114, 1115},
    {"timestamptz", KeyType::kTimestamptz, 1184, 1185},
    {"bytea", KeyType::kBytea, 17, 1001},
    {"numeric", KeyType::kNumeric, 1700, 1231},
};

// The literal of a constant: PostgreSQL gives -5, - 5 and -(5) one node at the place of the (first)
// minus. nullopt: none there (TRUE, a string built by the grammar).
std::optional<Operand> LiteralAt(int64_t location, const Planning& planning) {
  if (location < 0 || static_cast<size_t>(location) > planning.text.size()) return std::nullopt;
  const uint32_t begin = static_cast<uint32_t>(location);
  const auto literal =
      std::lower_bound(planning.literals.begin(), planning.literals.end(), begin,
                       [](const Literal& l, uint32_t at) { return l.range.begin < at; });
  if (literal == planning.literals.end()) return std::nullopt;
  const size_t index = static_cast<size_t>(literal - planning.literals.begin());
  if (index > std::numeric_limits<uint16_t>::max()) return std::nullopt;
  Operand operand;
  operand.source = Operand::Source::kLiteral;
  operand.index = static_cast<uint16_t>(index);
  if (literal->range.begin == begin) return operand;
  const std::string_view before = planning.text.substr(begin, literal->range.begin - begin);
  Scanner scanner(before, planning.context.standard_conforming_strings);
  for (Token token = scanner.Next(); token.kind != TokenKind::kEnd; token = scanner.Next()) {
    const std::string_view word = before.substr(token.range.begin, token.range.size());
    if (word == "-") {
      operand.negative = !operand.negative;
    } else if (word != "(") {
      return std::nullopt;
    }
  }
  return operand;
}

std::optional<Operand> OperandOfCast(const TypeCastView& cast, const Planning& planning) {
  std::optional<Operand> operand = MakeOperand(cast.argument(), planning);
  const std::optional<KeyType> type = KeyTypeOfName(cast.type().node, planning);
  // Of two casts, the first may already have changed the value.
  if (!operand.has_value() || !type.has_value() || operand->cast.has_value()) return std::nullopt;
  operand->cast = type;
  operand->array = cast.type().array_dimensions() > 0;
  return operand;
}

}  // namespace

std::optional<KeyType> KeyTypeOfName(const Node& type_name, const Planning& planning) {
  const TypeNameView type(type_name);
  const auto names = type.names();
  if (type.has_modifier() || type.set_of() || names.empty() || names.size() > 2)
    return std::nullopt;
  if (names.size() == 2 && names[0] != "pg_catalog") return std::nullopt;
  if (names.size() == 1 && !CatalogComesFirst(planning.context.search_path)) return std::nullopt;
  for (const NamedType& named : kTypes) {
    if (names.back() == named.name) return named.type;
  }
  return std::nullopt;
}

Oid OidOfTypeName(const Node& type_name, const Planning& planning) {
  const TypeNameView type(type_name);
  if (!KeyTypeOfName(type_name, planning).has_value()) return 0;
  for (const NamedType& named : kTypes) {
    if (type.names().back() == named.name) {
      return type.array_dimensions() > 0 ? named.array_oid : named.oid;
    }
  }
  return 0;
}

std::optional<Operand> MakeOperand(const Node& node, const Planning& planning) {
  if (node.Is(NodeKind::kTypeCast)) return OperandOfCast(TypeCastView(node), planning);
  if (node.Is(NodeKind::kParam)) {
    const int64_t number = ParamView(node).number();
    if (number < 1 || static_cast<size_t>(number) > planning.parameter_uses.size()) {
      return std::nullopt;
    }
    Operand operand;
    operand.source = Operand::Source::kParameter;
    operand.index = static_cast<uint16_t>(number - 1);
    operand.shared_parameter = planning.parameter_uses[number - 1] > 1;
    return operand;
  }
  if (!node.Is(NodeKind::kConst)) return std::nullopt;
  if (ConstView(node).is_null()) return Operand();
  return LiteralAt(node.location(), planning);
}

}  // namespace meridian
