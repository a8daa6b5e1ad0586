// What the session needs to tell about statements by their verb alone.
#pragma once

#include "metrics/labels.h"
#include "router/statement.h"

namespace meridian {

// The label under which the statement is counted.
QueryKind KindOf(const Statement& statement);
// COMMIT, ROLLBACK, ROLLBACK TO: what PostgreSQL runs in a failed transaction
// (IsTransactionExitStmt).
bool LeavesFailedTransaction(const Statement& statement);
// Whether the statement may be sent to a server together with others of its Query, unseen by the
// session but for its effects: not those that the session must answer or rewrite.
bool CanTravelInScript(const Statement& statement);
// Statements of which a Parse or Describe is answered without a server: the grammar has accepted
// them, and who executes them is known only later.
bool IsSessionVerb(const Statement& statement);
// Whether it writes, and an error says that it has had no effect: CALL and DO may have committed.
bool FailsWhole(const Statement& statement);
// SET CONSTRAINTS.
bool SetsConstraints(const Statement& statement);
// A setting of our own (meridian.*).
bool IsMeridianSetting(const Statement& statement);

}  // namespace meridian
