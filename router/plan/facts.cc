#include "router/plan/facts.h"
#include "router/plan/names.h"

#include <algorithm>

namespace meridian {
namespace {

using Op = KeyCondition::Op;

// Machine-made statements may join hundreds of tables; the work grows with the square of these.
// Beyond, nothing more is implied.
constexpr size_t kMaxReferences = 64;
constexpr size_t kMaxEdges = 256;

// to = from holds for all rows of `to` that matter, so what is known of `from` holds for `to`.
struct Edge {
  ColumnOf from;
  ColumnOf to;
};

std::optional<Op> OrderOperator(std::string_view name) {
  if (name == "<") return Op::kLess;
  if (name == "<=") return Op::kLessOrEqual;
  if (name == ">") return Op::kGreater;
  if (name == ">=") return Op::kGreaterOrEqual;
  return std::nullopt;
}

Op Mirror(Op op) {
  switch (op) {
    case Op::kLess:
      return Op::kGreater;
    case Op::kLessOrEqual:
      return Op::kGreaterOrEqual;
    case Op::kGreater:
      return Op::kLess;
    case Op::kGreaterOrEqual:
      return Op::kLessOrEqual;
    default:
      return op;
  }
}

std::optional<size_t> KeyIndex(const TableReference& reference, std::string_view column) {
  if (!reference.sharded()) return std::nullopt;
  const auto& keys = reference.mapped->key_columns;
  const auto found = std::find(keys.begin(), keys.end(), column);
  if (found == keys.end()) return std::nullopt;
  return static_cast<size_t>(found - keys.begin());
}

// The type of a column where it is one that keys can have.
std::optional<KeyType> TypeOf(const Query& query, const ColumnOf& column,
                              const Planning& planning) {
  const TableReference& reference = query.references[column.reference];
  if (reference.relation != nullptr) {
    for (const Column& candidate : reference.relation->columns) {
      if (candidate.name == column.column) return KeyTypeByOid(candidate.type);
    }
    return std::nullopt;
  }
  const std::optional<size_t> key = KeyIndex(reference, column.column);
  if (!key.has_value()) return std::nullopt;
  return planning.map.distributions()[reference.mapped->distribution].columns()[*key].type;
}

class Facts {
 public:
  Facts(const Query& query, const Planning& planning) : query_(query), planning_(planning) {
    catalog_operators_ = CatalogComesFirst(planning.context.search_path);
    if (query.references.size() > kMaxReferences) return;
    for (const Condition& condition : query.conditions) {
      AddEdges(condition, condition.expression);
    }
    // USING means `=` without a schema.
    const bool equal_is_built_in = IsBuiltIn("=");
    for (const ColumnEquality& equality : query.equalities) {
      if (equal_is_built_in)
        AddEdges(equality.left, equality.right, equality.targets_begin, equality.targets_end);
    }
  }

  KeySet KeysOf(size_t reference) {
    const TableReference& table = query_.references[reference];
    if (table.in_view || query_.references.size() > kMaxReferences) return KeySet::All();
    reference_ = reference;
    sources_.clear();
    const Distribution& distribution = planning_.map.distributions()[table.mapped->distribution];
    for (size_t i = 0; i < distribution.columns().size(); ++i) {
      types_.push_back(distribution.columns()[i].type);
      sources_.push_back(SourcesOf({reference, table.mapped->key_columns[i]}));
    }
    KeySet keys = KeySet::All();
    for (const Condition& condition : query_.conditions) {
      condition_ = &condition;
      keys = KeySet::And(keys, Derive(condition.expression));
    }
    return keys;
  }

  // All columns whose known values are those of `column` too, itself included.
  std::vector<ColumnOf> SourcesOf(const ColumnOf& column) const {
    std::vector<ColumnOf> sources = {column};
    for (size_t i = 0; i < sources.size(); ++i) {
      for (const Edge& edge : edges_) {
        if (edge.to == sources[i] &&
            std::find(sources.begin(), sources.end(), edge.from) == sources.end()) {
          sources.push_back(edge.from);
        }
      }
    }
    return sources;
  }

 private:
  // --- Equalities between columns ---

  void AddEdges(const Condition& condition, const Node& expression) {
    if (expression.Is(NodeKind::kBool) && BoolView(expression).kind() == BoolView::Kind::kAnd) {
      for (const Node argument : BoolView(expression).arguments()) AddEdges(condition, argument);
      return;
    }
    if (!expression.Is(NodeKind::kOperator)) return;
    const OperatorView comparison(expression);
    if (comparison.kind() != OperatorView::Kind::kPlain || OperatorName(comparison) != "=") return;
    AddEdges(condition, comparison.left(), comparison.right());
  }

  void AddEdges(const Condition& condition, const Node& left, const Node& right) {
    if (left.Is(NodeKind::kRow) && right.Is(NodeKind::kRow)) {
      const NodeList lefts = ItemsView(left).items();
      const NodeList rights = ItemsView(right).items();
      if (lefts.size() != rights.size()) return;
      for (size_t i = 0; i < lefts.size(); ++i) AddEdges(condition, lefts[i], rights[i]);
      return;
    }
    const auto a = Resolve(condition, left);
    const auto b = Resolve(condition, right);
    if (!a.has_value() || !b.has_value()) return;
    AddEdges(*a, *b, condition.targets_begin, condition.targets_end);
  }

  void AddEdges(const ColumnOf& a, const ColumnOf& b, size_t begin, size_t end) {
    if (edges_.size() >= kMaxEdges || !EqualMeansSame(a, b)) return;
    if (b.reference >= begin && b.reference < end) edges_.push_back({a, b});
    if (a.reference >= begin && a.reference < end) edges_.push_back({b, a});
  }

  // Whether equal values of both are the same key. Not text in general: a column may have a
  // collation for which 'a' = 'A'; those of key columns were checked when their tables were
  // attached.
  bool EqualMeansSame(const ColumnOf& a, const ColumnOf& b) const {
    const auto type_a = TypeOf(query_, a, planning_);
    const auto type_b = TypeOf(query_, b, planning_);
    if (!type_a.has_value() || !type_b.has_value()) return false;
    if (IsIntegerType(*type_a) && IsIntegerType(*type_b)) return true;
    if (*type_a != *type_b) return false;
    if (*type_a != KeyType::kText) return true;
    return KeyIndex(query_.references[a.reference], a.column).has_value() &&
           KeyIndex(query_.references[b.reference], b.column).has_value();
  }

  std::optional<ColumnOf> Resolve(const Condition& condition, const Node& node) const {
    if (!node.Is(NodeKind::kColumnRef)) return std::nullopt;
    return ResolveColumn(query_, condition.level, ColumnRefView(node).names());
  }

  // Whether the operator's name, without a schema, means pg_catalog's.
  bool IsBuiltIn(std::string_view name) const {
    return catalog_operators_ && !planning_.schema.HasUserComparison(name);
  }

  // Empty where a user's operator may be meant.
  std::string_view OperatorName(const OperatorView& expression) const {
    const auto names = expression.names();
    if (names.size() == 2 && names[0] == "pg_catalog") return names[1];
    return names.size() == 1 && IsBuiltIn(names[0]) ? names[0] : std::string_view();
  }

  // --- Conditions on columns ---

  // The keys of rows for which `expression` may be true. All where it does not tell.
  KeySet Derive(const Node& expression) {
    switch (expression.kind()) {
      case NodeKind::kBool:
        return DeriveBool(BoolView(expression));
      case NodeKind::kOperator:
        return DeriveOperator(OperatorView(expression));
      case NodeKind::kNullTest:
        return DeriveNullTest(NullTestView(expression));
      default:
        return KeySet::All();
    }
  }

  KeySet DeriveBool(const BoolView& expression) {
    switch (expression.kind()) {
      case BoolView::Kind::kAnd: {
        KeySet keys = KeySet::All();
        for (const Node argument : expression.arguments())
          keys = KeySet::And(keys, Derive(argument));
        return keys;
      }
      case BoolView::Kind::kOr: {
        KeySet keys = KeySet::None();
        for (const Node argument : expression.arguments()) {
          keys = KeySet::Or(std::move(keys), Derive(argument));
          if (keys.is_all()) break;
        }
        return keys;
      }
      case BoolView::Kind::kNot:
        break;
    }
    return KeySet::All();
  }

  // A key is never NULL, but a row that an outer join fills with NULLs is.
  KeySet DeriveNullTest(const NullTestView& test) {
    const auto column = Resolve(*condition_, test.argument());
    if (!test.is_null() || !column.has_value() || !IsTarget(*column)) return KeySet::All();
    if (query_.references[column->reference].nullable) return KeySet::All();
    for (const auto& sources : sources_) {
      if (column->reference == reference_ && *column == sources[0]) return KeySet::None();
    }
    return KeySet::All();
  }

  KeySet DeriveOperator(const OperatorView& expression) {
    const std::string_view name = OperatorName(expression);
    switch (expression.kind()) {
      case OperatorView::Kind::kPlain:
        if (name == "=") return DeriveEqual(expression.left(), expression.right());
        if (const auto op = OrderOperator(name)) {
          return DeriveOrder(*op, expression.left(), expression.right());
        }
        return KeySet::All();
      case OperatorView::Kind::kIn:
        return name == "=" ? DeriveIn(expression.left(), ItemsView(expression.right()).items())
                           : KeySet::All();
      case OperatorView::Kind::kAny:
        return name == "=" ? DeriveAny(expression.left(), expression.right()) : KeySet::All();
      case OperatorView::Kind::kBetween:
      case OperatorView::Kind::kBetweenSymmetric: {
        const NodeList ends = ItemsView(expression.right()).items();
        if (ends.size() != 2 || !IsBuiltIn(">=") || !IsBuiltIn("<=")) return KeySet::All();
        KeySet between = DeriveBetween(expression.left(), ends[0], ends[1]);
        if (expression.kind() == OperatorView::Kind::kBetween) return between;
        return KeySet::Or(std::move(between), DeriveBetween(expression.left(), ends[1], ends[0]));
      }
      default:
        return KeySet::All();
    }
  }

  KeySet DeriveBetween(const Node& value, const Node& lower, const Node& upper) {
    return KeySet::And(DeriveOrder(Op::kGreaterOrEqual, value, lower),
                       DeriveOrder(Op::kLessOrEqual, value, upper));
  }

  KeySet DeriveEqual(const Node& left, const Node& right) {
    if (left.Is(NodeKind::kRow) && right.Is(NodeKind::kRow)) {
      const NodeList lefts = ItemsView(left).items();
      const NodeList rights = ItemsView(right).items();
      KeySet keys = KeySet::All();
      for (size_t i = 0; i < std::min(lefts.size(), rights.size()); ++i) {
        keys = KeySet::And(keys, DeriveEqual(lefts[i], rights[i]));
      }
      return keys;
    }
    const bool column_first = left.Is(NodeKind::kColumnRef);
    const auto operand = MakeOperand(column_first ? right : left, planning_);
    if (!operand.has_value()) return KeySet::All();
    return Compare(column_first ? left : right, Op::kIn, {*operand});
  }

  KeySet DeriveOrder(Op op, const Node& left, const Node& right) {
    if (left.Is(NodeKind::kRow) && right.Is(NodeKind::kRow)) {
      // (a, b) < (1, 2) implies a <= 1, and no more for a alone.
      const NodeList lefts = ItemsView(left).items();
      const NodeList rights = ItemsView(right).items();
      if (lefts.empty() || rights.empty()) return KeySet::All();
      const bool upper = op == Op::kLess || op == Op::kLessOrEqual;
      return DeriveOrder(upper ? Op::kLessOrEqual : Op::kGreaterOrEqual, lefts[0], rights[0]);
    }
    const bool column_first = left.Is(NodeKind::kColumnRef);
    const auto operand = MakeOperand(column_first ? right : left, planning_);
    if (!operand.has_value()) return KeySet::All();
    return Compare(column_first ? left : right, column_first ? op : Mirror(op), {*operand});
  }

  KeySet DeriveIn(const Node& left, const NodeList& items) {
    if (left.Is(NodeKind::kRow)) {
      KeySet keys = KeySet::None();
      for (const Node item : items) {
        keys = KeySet::Or(std::move(keys), DeriveEqual(left, item));
        if (keys.is_all()) break;
      }
      return keys;
    }
    return CompareList(left, items, std::nullopt);
  }

  KeySet DeriveAny(const Node& left, const Node& right) {
    if (right.Is(NodeKind::kArray))
      return CompareList(left, ItemsView(right).items(), std::nullopt);
    if (right.Is(NodeKind::kTypeCast)) {
      const TypeCastView cast(right);
      if (cast.argument().Is(NodeKind::kArray)) {
        const auto type = KeyTypeOfName(cast.type().node, planning_);
        if (!type.has_value() || cast.type().array_dimensions() != 1) return KeySet::All();
        return CompareList(left, ItemsView(cast.argument()).items(), type);
      }
      if (cast.type().array_dimensions() == 0) return KeySet::All();
    }
    const auto operand = MakeOperand(right, planning_);
    if (!operand.has_value()) return KeySet::All();
    return Compare(left, Op::kInArray, {*operand});
  }

  // column IN (items), or = ANY (ARRAY[items]::cast[]).
  KeySet CompareList(const Node& column, const NodeList& items, std::optional<KeyType> cast) {
    absl::InlinedVector<Operand, 1> operands;
    bool typed = false;
    for (const Node item : items) {
      std::optional<Operand> operand = MakeOperand(item, planning_);
      if (!operand.has_value() || operand->array) return KeySet::All();
      typed |= operand->cast.has_value() || IsNumeric(*operand);
      if (cast.has_value()) {
        if (operand->cast.has_value()) return KeySet::All();
        operand->cast = cast;
      }
      operands.push_back(*operand);
    }
    // The items' common type is then that of the parameters too, which is not the column's.
    if (typed) {
      for (Operand& operand : operands) operand.shared_parameter = true;
    }
    return Compare(column, Op::kIn, std::move(operands));
  }

  bool IsNumeric(const Operand& operand) const {
    return operand.source == Operand::Source::kLiteral &&
           planning_.literals[operand.index].kind == LiteralKind::kNumeric;
  }

  bool IsTarget(const ColumnOf& column) const {
    return column.reference >= condition_->targets_begin &&
           column.reference < condition_->targets_end;
  }

  KeySet Compare(const Node& node, Op op, absl::InlinedVector<Operand, 1> operands) {
    const auto column = Resolve(*condition_, node);
    if (!column.has_value() || !IsTarget(*column)) return KeySet::All();
    const std::optional<KeyType> type = TypeOf(query_, *column, planning_);
    if (!type.has_value()) return KeySet::All();
    KeySet keys = KeySet::All();
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (std::find(sources_[i].begin(), sources_[i].end(), *column) == sources_[i].end()) continue;
      KeyCondition condition{op, static_cast<uint16_t>(i), operands};
      // Untyped operands take the type of the column that they are compared with.
      for (Operand& operand : condition.operands) {
        if (*type != types_[i] && !operand.cast.has_value()) operand.cast = *type;
      }
      keys = KeySet::And(keys, KeySet::Of(std::move(condition)));
    }
    return keys;
  }

  const Query& query_;
  const Planning& planning_;
  bool catalog_operators_ = true;
  std::vector<Edge> edges_;
  // Of the reference in question: itself, and per key column its type and its equals.
  size_t reference_ = 0;
  std::vector<KeyType> types_;
  std::vector<std::vector<ColumnOf>> sources_;
  const Condition* condition_ = nullptr;
};

}  // namespace

KeySet KeysOf(const Query& query, size_t reference, const Planning& planning) {
  return Facts(query, planning).KeysOf(reference);
}

bool JoinedOnKey(const Query& query, size_t a, size_t b, const Planning& planning) {
  const Facts facts(query, planning);
  const MappedTable& left = *query.references[a].mapped;
  const MappedTable& right = *query.references[b].mapped;
  if (left.distribution != right.distribution) return false;
  for (size_t i = 0; i < left.key_columns.size(); ++i) {
    const auto sources = facts.SourcesOf({a, left.key_columns[i]});
    if (std::find(sources.begin(), sources.end(), ColumnOf{b, right.key_columns[i]}) ==
        sources.end()) {
      return false;
    }
  }
  return true;
}

}  // namespace meridian
