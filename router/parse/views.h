// Typed views of the nodes that the planner reads: the only place that names PostgreSQL's fields
// (PostgreSQL: src/include/nodes/parsenodes.h, primnodes.h; there is each field's meaning).
//
// A view of a node of another kind reads as empty.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "router/parse/node.h"

namespace meridian {

struct View {
  explicit View(Node n) : node(n) {}
  explicit operator bool() const { return static_cast<bool>(node); }
  Node node;

 protected:
  NodeList List(std::string_view field) const { return NodeList(node.List(field)); }
};

// The strings of a list of names: {a, b} of a.b. A `*` is left out.
std::vector<std::string_view> Names(NodeList list);

struct AliasView : View {
  using View::View;
  std::string_view name() const { return node.Text("aliasname"); }
  NodeList columns() const { return List("colnames"); }
};

struct RangeVarView : View {
  using View::View;
  std::string_view catalog() const { return node.Text("catalogname"); }
  std::string_view schema() const { return node.Text("schemaname"); }
  std::string_view name() const { return node.Text("relname"); }
  bool temporary() const { return node.Text("relpersistence") == "t"; }
  bool only() const { return !node.Bool("inh"); }
  AliasView alias() const { return AliasView(node.Child("alias")); }
};

struct SelectView : View {
  using View::View;
  enum class SetOperation { kNone, kUnion, kIntersect, kExcept };
  SetOperation set_operation() const;
  SelectView left() const { return SelectView(node.Child("larg")); }
  SelectView right() const { return SelectView(node.Child("rarg")); }
  Node with() const { return node.Child("withClause"); }
  NodeList distinct() const { return List("distinctClause"); }  // DISTINCT alone: one absent node
  Node into() const { return node.Child("intoClause").Child("rel"); }
  NodeList targets() const { return List("targetList"); }
  NodeList from() const { return List("fromClause"); }
  Node where() const { return node.Child("whereClause"); }
  NodeList group_by() const { return List("groupClause"); }
  Node having() const { return node.Child("havingClause"); }
  NodeList windows() const { return List("windowClause"); }
  NodeList values() const { return List("valuesLists"); }
  NodeList order_by() const { return List("sortClause"); }
  Node limit() const { return node.Child("limitCount"); }
  Node offset() const { return node.Child("limitOffset"); }
  NodeList locking() const { return List("lockingClause"); }
  // All parts of a plain SELECT but WITH, FROM and INTO.
  template <typename Visit>
  void ForEachExpression(Visit visit) const {
    node.ForEachChildBut({"withClause", "fromClause", "intoClause", "larg", "rarg"}, visit);
  }
};

struct WithView : View {
  using View::View;
  NodeList tables() const { return List("ctes"); }
  bool recursive() const { return node.Bool("recursive"); }
};

struct CommonTableView : View {
  using View::View;
  std::string_view name() const { return node.Text("ctename"); }
  NodeList columns() const { return List("aliascolnames"); }
  Node query() const { return node.Child("ctequery"); }
};

struct InsertView : View {
  using View::View;
  Node relation() const { return node.Child("relation"); }
  NodeList columns() const { return List("cols"); }
  SelectView source() const { return SelectView(node.Child("selectStmt")); }
  Node on_conflict() const { return node.Child("onConflictClause"); }
  NodeList returning() const { return List("returningList"); }
  Node with() const { return node.Child("withClause"); }
  // ON CONFLICT and RETURNING.
  template <typename Visit>
  void ForEachOther(Visit visit) const {
    node.ForEachChildBut({"relation", "cols", "selectStmt", "withClause"}, visit);
  }
};

struct ConflictView : View {
  using View::View;
  NodeList assignments() const { return List("targetList"); }
};

// UPDATE, DELETE and MERGE.
struct WriteView : View {
  using View::View;
  Node relation() const { return node.Child("relation"); }
  NodeList assignments() const { return List("targetList"); }  // UPDATE
  NodeList from() const {
    return node.Is(NodeKind::kDelete) ? List("usingClause") : List("fromClause");
  }
  Node where() const { return node.Child("whereClause"); }
  NodeList returning() const { return List("returningList"); }
  Node with() const { return node.Child("withClause"); }
  // MERGE
  Node source() const { return node.Child("sourceRelation"); }
  Node on() const { return node.Child("joinCondition"); }
  NodeList actions() const { return List("mergeWhenClauses"); }
  // All parts but the tables and WITH.
  template <typename Visit>
  void ForEachExpression(Visit visit) const {
    node.ForEachChildBut({"relation", "withClause", "fromClause", "usingClause", "sourceRelation"},
                         visit);
  }
};

struct MergeActionView : View {
  using View::View;
  enum class Command { kNothing, kInsert, kUpdate, kDelete };
  Command command() const;
  NodeList targets() const { return List("targetList"); }
  NodeList values() const { return List("values"); }
};

// A column that is selected, assigned or inserted.
struct TargetView : View {
  using View::View;
  std::string_view name() const { return node.Text("name"); }
  NodeList indirection() const { return List("indirection"); }
  Node value() const { return node.Child("val"); }
};

struct MultiAssignView : View {
  using View::View;
  Node source() const { return node.Child("source"); }
  int64_t column() const { return node.Int("colno"); }  // from 1
};

struct JoinView : View {
  using View::View;
  enum class Kind { kInner, kLeft, kRight, kFull };
  Kind kind() const;
  bool natural() const { return node.Bool("isNatural"); }
  Node left() const { return node.Child("larg"); }
  Node right() const { return node.Child("rarg"); }
  NodeList using_columns() const { return List("usingClause"); }
  Node on() const { return node.Child("quals"); }
  AliasView alias() const { return AliasView(node.Child("alias")); }
  AliasView using_alias() const { return AliasView(node.Child("join_using_alias")); }
};

struct RangeSubselectView : View {
  using View::View;
  Node query() const { return node.Child("subquery"); }
  AliasView alias() const { return AliasView(node.Child("alias")); }
  bool lateral() const { return node.Bool("lateral"); }
};

struct LockingView : View {  // FOR UPDATE [OF a, b]
  using View::View;
  NodeList relations() const { return List("lockedRels"); }
};

struct TableSampleView : View {
  using View::View;
  Node relation() const { return node.Child("relation"); }
  template <typename Visit>
  void ForEachArgument(Visit visit) const {
    node.ForEachChildBut({"relation"}, visit);
  }
};

struct ColumnRefView : View {
  using View::View;
  // Empty where it is or ends in `*`.
  std::vector<std::string_view> names() const;
  bool is_star() const;
  // The names before the star: {t} of t.*.
  std::vector<std::string_view> star_of() const { return Names(List("fields")); }
};

struct ConstView : View {
  using View::View;
  bool is_null() const { return node.Bool("isnull"); }
  bool is_string() const { return node.Has("sval"); }
  bool is_integer() const { return node.Has("ival"); }
  bool is_float() const { return node.Has("fval"); }
  bool is_boolean() const { return node.Has("boolval"); }
  // The text of a string or float.
  std::string_view text() const;
  bool is_true() const { return node.Child("boolval").Bool("boolval"); }
};

struct ParamView : View {
  using View::View;
  int64_t number() const { return node.Int("number"); }  // from 1
};

struct TypeNameView : View {
  using View::View;
  std::vector<std::string_view> names() const { return Names(List("names")); }
  bool has_modifier() const { return !List("typmods").empty(); }
  size_t array_dimensions() const { return List("arrayBounds").size(); }
  bool set_of() const { return node.Bool("setof"); }
};

struct TypeCastView : View {
  using View::View;
  Node argument() const { return node.Child("arg"); }
  TypeNameView type() const { return TypeNameView(node.Child("typeName")); }
};

struct ItemsView : View {  // a row, a list or an array
  using View::View;
  NodeList items() const;
};

struct OperatorView : View {
  using View::View;
  enum class Kind { kPlain, kAny, kAll, kIn, kBetween, kBetweenSymmetric, kOther };
  Kind kind() const;
  std::vector<std::string_view> names() const { return Names(List("name")); }
  Node left() const { return node.Child("lexpr"); }
  Node right() const { return node.Child("rexpr"); }
};

struct BoolView : View {
  using View::View;
  enum class Kind { kAnd, kOr, kNot };
  Kind kind() const;
  NodeList arguments() const { return List("args"); }
};

struct NullTestView : View {
  using View::View;
  Node argument() const { return node.Child("arg"); }
  bool is_null() const { return node.Text("nulltesttype") == "IS_NULL"; }
};

struct SubLinkView : View {
  using View::View;
  Node query() const { return node.Child("subselect"); }
};

struct FunctionView : View {
  using View::View;
  std::vector<std::string_view> names() const { return Names(List("funcname")); }
  NodeList arguments() const { return List("args"); }
  bool is_windowed() const { return node.Has("over"); }
  // Written as an aggregate only can be: f(*), DISTINCT, ORDER BY, FILTER, WITHIN GROUP.
  bool has_aggregate_syntax() const;
};

struct ValueFunctionView : View {
  using View::View;
  std::string_view name() const { return node.Text("op"); }  // SVFOP_CURRENT_DATE, ...
};

struct StringView : View {
  using View::View;
  std::string_view text() const { return node.Text("sval"); }
};

struct OptionView : View {
  using View::View;
  std::string_view name() const { return node.Text("defname"); }
  Node value() const { return node.Child("arg"); }
  // The value as a word, however it was written; empty: none given.
  std::string text() const;
  // An option without value is on. nullopt-free: anything that is not a boolean is `fallback`.
  bool boolean(bool fallback) const;
};

// --- Utility statements ---

struct TransactionView : View {
  using View::View;
  std::string_view kind() const { return node.Text("kind"); }  // TRANS_STMT_BEGIN, ...
  std::string_view savepoint() const { return node.Text("savepoint_name"); }
  bool chain() const { return node.Bool("chain"); }
  NodeList options() const { return List("options"); }
};

struct SetView : View {
  using View::View;
  std::string_view kind() const { return node.Text("kind"); }  // VAR_SET_VALUE, ...
  std::string_view name() const { return node.Text("name"); }
  NodeList arguments() const { return List("args"); }
  bool local() const { return node.Bool("is_local"); }
};

struct NamedView : View {  // SHOW, PREPARE, EXECUTE, DEALLOCATE, cursors, LISTEN, ...
  using View::View;
  std::string_view name() const;
  Node query() const { return node.Child("query"); }
  NodeList arguments() const { return List("params"); }
  NodeList argument_types() const { return List("argtypes"); }
  NodeList options() const { return List("options"); }
  bool holds() const { return (node.Int("options") & 0x20) != 0; }  // CURSOR_OPT_HOLD
};

struct DiscardView : View {
  using View::View;
  std::string_view target() const { return node.Text("target"); }  // DISCARD_ALL, ...
};

struct CopyView : View {
  using View::View;
  Node relation() const { return node.Child("relation"); }
  Node query() const { return node.Child("query"); }
  NodeList columns() const { return List("attlist"); }
  bool from() const { return node.Bool("is_from"); }
  bool with_client() const { return !node.Has("filename") && !node.Bool("is_program"); }
  NodeList options() const { return List("options"); }
  Node where() const { return node.Child("whereClause"); }
};

// Any statement that defines, alters or drops objects; each has some of these fields.
struct DdlView : View {
  using View::View;
  // What kind of object it is about: OBJECT_TABLE, ...; empty where the statement has none.
  std::string_view object_type() const;
  NodeList objects() const { return List("objects"); }
  Node object() const { return node.Child("object"); }
  Node relation() const { return node.Child("relation"); }
  NodeList commands() const { return List("cmds"); }
  NodeList options() const { return List("options"); }
  NodeList parameters() const { return List("params"); }
  std::string_view column() const { return node.Text("subname"); }    // RENAME COLUMN
  std::string_view new_name() const { return node.Text("newname"); }  // RENAME
  bool concurrent() const;
  bool grants_on_all() const { return node.Text("targtype") == "ACL_TARGET_ALL_IN_SCHEMA"; }
  // REINDEX: whether one table or index is meant, not a schema or database.
  bool reindexes_one() const;
  bool is_vacuum() const { return node.Bool("is_vacuumcmd"); }
};

struct AlterTableCommandView : View {
  using View::View;
  std::string_view kind() const { return node.Text("subtype"); }  // AT_DropColumn, ...
  std::string_view column() const { return node.Text("name"); }
  bool detaches_concurrently() const { return node.Child("def").Bool("concurrent"); }
};

struct ColumnDefinitionView : View {
  using View::View;
  std::string_view name() const { return node.Text("colname"); }
};

struct ConstraintView : View {
  using View::View;
  enum class Kind { kUnique, kForeign, kOther };  // kUnique: PRIMARY KEY and EXCLUDE too
  Kind kind() const;
  std::vector<std::string_view> columns() const { return Names(List("keys")); }
  bool is_identity() const { return node.Text("contype") == "CONSTR_IDENTITY"; }
  bool is_exclusion() const { return node.Text("contype") == "CONSTR_EXCLUSION"; }
  bool uses_index() const { return node.Has("indexname"); }
  RangeVarView referenced() const { return RangeVarView(node.Child("pktable")); }
  std::vector<std::string_view> foreign_columns() const { return Names(List("fk_attrs")); }
  std::vector<std::string_view> referenced_columns() const { return Names(List("pk_attrs")); }
};

struct CreateIndexView : View {
  using View::View;
  Node relation() const { return node.Child("relation"); }
  bool unique() const { return node.Bool("unique"); }
  bool concurrent() const { return node.Bool("concurrent"); }
  std::vector<std::string_view> columns() const;  // without expressions
};

struct CreateTableAsView : View {
  using View::View;
  Node query() const { return node.Child("query"); }
  RangeVarView target() const { return RangeVarView(node.Child("into").Child("rel")); }
};

struct CreateTableView : View {
  using View::View;
  RangeVarView relation() const;  // of CREATE TABLE, CREATE VIEW, CREATE SEQUENCE
  NodeList parents() const { return List("inhRelations"); }
};

struct DoView : View {
  using View::View;
  NodeList options() const { return List("args"); }  // "as", "language"
};

struct CallView : View {
  using View::View;
  Node call() const { return node.Child("funccall"); }
};

}  // namespace meridian
