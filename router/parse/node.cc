#include "router/parse/node.h"

namespace meridian {
namespace {

bool IsTypeName(std::string_view key) { return !key.empty() && key[0] >= 'A' && key[0] <= 'Z'; }

// Some fields hold a struct of a fixed type, which libpg_query prints without its name.
NodeKind KindOfBareStruct(const simdjson::dom::object& fields) {
  NodeKind kind = NodeKind::kOther;
  for (const auto field : fields) {
    if (field.key == "relname") return NodeKind::kRangeVar;
    if (field.key == "limitOption") return NodeKind::kSelect;  // an arm of a set operation
    if (field.key == "ctes") return NodeKind::kWith;
    if (field.key == "funcformat") return NodeKind::kFunction;  // CALL f(...)
    if (field.key == "typemod") kind = NodeKind::kTypeName;
  }
  return kind;
}

// An array that a parsed "[]" gives, for lists that are absent.
simdjson::dom::array EmptyArray() {
  static simdjson::dom::parser& parser = *new simdjson::dom::parser();
  static const simdjson::dom::array empty =
      parser.parse(std::string_view("[]")).get_array().value();
  return empty;
}

}  // namespace

Node Node::Of(simdjson::dom::element element) {
  Node node;
  simdjson::dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return node;
  node.present_ = true;
  const auto first = object.begin();
  if (first != object.end() && IsTypeName(first.key())) {
    node.type_name_ = first.key();
    node.kind_ = NodeKindOf(node.type_name_);
    if (first.value().get(node.fields_) == simdjson::SUCCESS) return node;
  }
  node.fields_ = object;
  node.kind_ = KindOfBareStruct(object);
  return node;
}

Node Node::Child(std::string_view field) const {
  simdjson::dom::element value;
  if (!present_ || fields_.at_key(field).get(value) != simdjson::SUCCESS) return {};
  return Of(value);
}

simdjson::dom::array Node::List(std::string_view field) const {
  simdjson::dom::array items;
  if (present_ && fields_.at_key(field).get(items) == simdjson::SUCCESS) return items;
  return EmptyArray();
}

std::string_view Node::Text(std::string_view field) const {
  std::string_view text;
  if (!present_ || fields_.at_key(field).get(text) != simdjson::SUCCESS) return {};
  return text;
}

int64_t Node::Int(std::string_view field) const {
  int64_t number = 0;
  if (!present_ || fields_.at_key(field).get(number) != simdjson::SUCCESS) return 0;
  return number;
}

bool Node::Bool(std::string_view field) const {
  bool value = false;
  return present_ && fields_.at_key(field).get(value) == simdjson::SUCCESS && value;
}

bool Node::Has(std::string_view field) const {
  simdjson::dom::element value;
  return present_ && fields_.at_key(field).get(value) == simdjson::SUCCESS;
}

}  // namespace meridian
