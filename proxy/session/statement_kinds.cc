#include "proxy/session/statement_kinds.h"

namespace meridian {

QueryKind KindOf(const Statement& statement) {
  switch (statement.verb) {
    case Verb::kSelect:
    case Verb::kShow:
    case Verb::kExplain:
    case Verb::kFetch:
      return QueryKind::kSelect;
    case Verb::kInsert:
      return QueryKind::kInsert;
    case Verb::kUpdate:
      return QueryKind::kUpdate;
    case Verb::kDelete:
    case Verb::kMerge:
    case Verb::kTruncate:
      return QueryKind::kDelete;
    case Verb::kCopyIn:
    case Verb::kCopyOut:
      return QueryKind::kCopy;
    case Verb::kDdl:
    case Verb::kMaintenance:
      return QueryKind::kDdl;
    case Verb::kBegin:
    case Verb::kCommit:
    case Verb::kRollback:
    case Verb::kSavepoint:
    case Verb::kReleaseSavepoint:
    case Verb::kRollbackToSavepoint:
    case Verb::kSetTransaction:
    case Verb::kPrepareTransaction:
    case Verb::kFinishPrepared:
      return QueryKind::kTransaction;
    default:
      return QueryKind::kOther;
  }
}

bool LeavesFailedTransaction(const Statement& statement) {
  return statement.verb == Verb::kCommit || statement.verb == Verb::kRollback ||
         statement.verb == Verb::kRollbackToSavepoint ||
         statement.verb == Verb::kPrepareTransaction;
}

bool SetsConstraints(const Statement& statement) {
  return statement.verb == Verb::kSetTransaction && statement.name == "constraints";
}

bool IsMeridianSetting(const Statement& statement) {
  return statement.name.starts_with("meridian.");
}

bool IsSessionVerb(const Statement& statement) {
  switch (statement.verb) {
    case Verb::kBegin:
    case Verb::kCommit:
    case Verb::kRollback:
    case Verb::kSavepoint:
    case Verb::kReleaseSavepoint:
    case Verb::kRollbackToSavepoint:
    case Verb::kSetTransaction:
    case Verb::kDeallocate:
      return true;
    case Verb::kDiscard:
      return statement.all;
    case Verb::kReset:
      return statement.all || IsMeridianSetting(statement);
    case Verb::kSet:
    case Verb::kShow:
      return IsMeridianSetting(statement);
    default:
      return false;
  }
}

bool CanTravelInScript(const Statement& statement) {
  switch (statement.verb) {
    case Verb::kPrepare:
    case Verb::kExecute:
    case Verb::kDeallocate:
    case Verb::kDiscard:
    case Verb::kReset:
    case Verb::kCopyIn:
      return false;
    case Verb::kSet:
    case Verb::kShow:
      return !IsMeridianSetting(statement);
    default:
      return !statement.needs_own_transaction;
  }
}

bool FailsWhole(const Statement& statement) {
  return statement.writes && statement.verb != Verb::kCall;
}

}  // namespace meridian
