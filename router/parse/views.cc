#include "router/parse/views.h"

#include <fmt/format.h>

namespace meridian {

std::vector<std::string_view> Names(NodeList list) {
  std::vector<std::string_view> names;
  for (const Node item : list) {
    if (item.Is(NodeKind::kString)) names.push_back(StringView(item).text());
  }
  return names;
}

SelectView::SetOperation SelectView::set_operation() const {
  const std::string_view op = node.Text("op");
  if (op == "SETOP_UNION") return SetOperation::kUnion;
  if (op == "SETOP_INTERSECT") return SetOperation::kIntersect;
  if (op == "SETOP_EXCEPT") return SetOperation::kExcept;
  return SetOperation::kNone;
}

MergeActionView::Command MergeActionView::command() const {
  const std::string_view command = node.Text("commandType");
  if (command == "CMD_INSERT") return Command::kInsert;
  if (command == "CMD_UPDATE") return Command::kUpdate;
  if (command == "CMD_DELETE") return Command::kDelete;
  return Command::kNothing;
}

JoinView::Kind JoinView::kind() const {
  const std::string_view type = node.Text("jointype");
  if (type == "JOIN_INNER") return Kind::kInner;
  if (type == "JOIN_LEFT") return Kind::kLeft;
  if (type == "JOIN_RIGHT") return Kind::kRight;
  return Kind::kFull;
}

std::vector<std::string_view> ColumnRefView::names() const {
  std::vector<std::string_view> names;
  for (const Node field : List("fields")) {
    if (!field.Is(NodeKind::kString)) return {};
    names.push_back(StringView(field).text());
  }
  return names;
}

bool ColumnRefView::is_star() const {
  for (const Node field : List("fields")) {
    if (field.Is(NodeKind::kStar)) return true;
  }
  return false;
}

std::string_view ConstView::text() const {
  if (is_string()) return node.Child("sval").Text("sval");
  return node.Child("fval").Text("fval");
}

NodeList ItemsView::items() const {
  switch (node.kind()) {
    case NodeKind::kRow:
      return List("args");
    case NodeKind::kArray:
      return List("elements");
    default:
      return List("items");
  }
}

OperatorView::Kind OperatorView::kind() const {
  const std::string_view kind = node.Text("kind");
  if (kind == "AEXPR_OP") return Kind::kPlain;
  if (kind == "AEXPR_OP_ANY") return Kind::kAny;
  if (kind == "AEXPR_OP_ALL") return Kind::kAll;
  if (kind == "AEXPR_IN") return Kind::kIn;
  if (kind == "AEXPR_BETWEEN") return Kind::kBetween;
  if (kind == "AEXPR_BETWEEN_SYM") return Kind::kBetweenSymmetric;
  return Kind::kOther;
}

BoolView::Kind BoolView::kind() const {
  const std::string_view op = node.Text("boolop");
  if (op == "AND_EXPR") return Kind::kAnd;
  if (op == "OR_EXPR") return Kind::kOr;
  return Kind::kNot;
}

bool FunctionView::has_aggregate_syntax() const {
  return node.Bool("agg_star") || node.Bool("agg_distinct") || node.Has("agg_order") ||
         node.Has("agg_filter") || node.Bool("agg_within_group");
}

std::string OptionView::text() const {
  const Node argument = value();
  if (argument.Is(NodeKind::kConst)) {
    const ConstView constant(argument);
    return constant.is_integer() ? fmt::format("{}", argument.Child("ival").Int("ival"))
                                 : std::string(constant.text());
  }
  if (argument.Has("sval")) return std::string(argument.Text("sval"));
  if (argument.Has("boolval")) return argument.Bool("boolval") ? "true" : "false";
  if (argument.Has("fval")) return std::string(argument.Text("fval"));
  if (argument.type_name() == "Boolean") return "false";
  if (argument.type_name() == "Integer") return fmt::format("{}", argument.Int("ival"));
  if (argument.Is(NodeKind::kTypeName)) {
    const auto names = TypeNameView(argument).names();
    return names.empty() ? std::string() : std::string(names.back());
  }
  return {};
}

bool OptionView::boolean(bool fallback) const {
  if (!value()) return true;
  const std::string word = text();
  // PostgreSQL: src/backend/commands/define.c, defGetBoolean.
  if (word == "true" || word == "on" || word == "1") return true;
  if (word == "false" || word == "off" || word == "0") return false;
  return fallback;
}

std::string_view NamedView::name() const {
  for (const std::string_view field : {"name", "portalname", "conditionname"}) {
    if (node.Has(field)) return node.Text(field);
  }
  return {};
}

std::string_view DdlView::object_type() const {
  for (const std::string_view field : {"removeType", "renameType", "objectType", "objtype"}) {
    if (node.Has(field)) return node.Text(field);
  }
  return {};
}

bool DdlView::concurrent() const {
  if (node.Bool("concurrent")) return true;
  for (const Node option : parameters()) {
    if (OptionView(option).name() == "concurrently" && OptionView(option).boolean(true))
      return true;
  }
  return false;
}

bool DdlView::reindexes_one() const {
  return node.Text("kind") == "REINDEX_OBJECT_TABLE" || node.Text("kind") == "REINDEX_OBJECT_INDEX";
}

ConstraintView::Kind ConstraintView::kind() const {
  const std::string_view type = node.Text("contype");
  if (type == "CONSTR_UNIQUE" || type == "CONSTR_PRIMARY" || type == "CONSTR_EXCLUSION") {
    return Kind::kUnique;
  }
  return type == "CONSTR_FOREIGN" ? Kind::kForeign : Kind::kOther;
}

std::vector<std::string_view> CreateIndexView::columns() const {
  std::vector<std::string_view> columns;
  for (const Node element : List("indexParams")) {
    if (element.Has("name")) columns.push_back(element.Text("name"));
  }
  return columns;
}

RangeVarView CreateTableView::relation() const {
  for (const std::string_view field : {"relation", "view", "sequence"}) {
    if (node.Has(field)) return RangeVarView(node.Child(field));
  }
  return RangeVarView(node.Child("base").Child("relation"));
}

}  // namespace meridian
