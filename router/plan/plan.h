// The planner's entry: one statement of a text -> what is known of it before its values are.
#pragma once

#include <memory>

#include "router/parse/views.h"
#include "router/plan/planning.h"
#include "router/statement.h"

namespace meridian {

struct RouteProgram;

// `range` is the statement's part of planning->text.
Ref<const Statement> PlanStatement(const Node& statement, TextRange range, Planning* planning);

// The same for text that the parser refused, from its first word. A syntax error for PostgreSQL 15
// is one for a server that is not newer too, whose own words the user should get.
Ref<const Statement> PlanOpaque(std::string_view part, bool is_syntax_error,
                                const Planning& planning);

// Steps of PlanStatement, by kind of statement. Each fills `statement` and its program.
void PlanQuery(const Node& node, TextRange range, Planning* planning, Statement* statement,
               RouteProgram* program);
void PlanCopy(const Node& node, Planning* planning, Statement* statement, RouteProgram* program);
void PlanDdl(const Node& node, Planning* planning, Statement* statement, RouteProgram* program);
// False: not a statement about the session.
bool PlanSessionCommand(const Node& node, TextRange range, Planning* planning, Statement* statement,
                        RouteProgram* program);

// A new table, view or sequence that is temporary: the session keeps its connection; refused where
// it would hide a table of the map.
void PinTemporary(const RangeVarView& relation, const Planning& planning, Statement* statement,
                  RouteProgram* program);

// CREATE TABLE AS, SELECT INTO, after the query's own needs: the new table is a local one.
void PlanNewTable(RouteProgram* program);

// Whether the function calls and clauses of a query leave every shard as it was.
struct Query;
bool OnlyReads(const Query& query);
// See Statement.
bool DiffersOnReplica(const Query& query);
bool ReadsReference(const Query& query);
// Pins that the query's functions need.
PinReason PinOf(const Query& query);

}  // namespace meridian
