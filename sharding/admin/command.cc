#include "sharding/admin/command.h"

namespace meridian {
namespace {

template <typename... Lambdas>
struct Overloaded : Lambdas... {
  using Lambdas::operator()...;
};

CommandRoom RoomOfShow(ShowSubject subject) {
  switch (subject) {
    case ShowSubject::kShards:
    case ShowSubject::kDistributions:
    case ShowSubject::kKeyRanges:
    case ShowSubject::kTables:
    case ShowSubject::kEpoch:
    case ShowSubject::kVersion:
    case ShowSubject::kHelp:
      return CommandRoom::kMap;
    case ShowSubject::kMoves:
    case ShowSubject::kMoveHistory:
    case ShowSubject::kRebalancer:
    case ShowSubject::kLoad:
      return CommandRoom::kCatalog;
    default:
      return CommandRoom::kProxy;
  }
}

std::string TagOfMove(MoveWish wish) {
  switch (wish) {
    case MoveWish::kPause:
      return "PAUSE MOVE";
    case MoveWish::kRun:
      return "RESUME MOVE";
    case MoveWish::kCancel:
      return "CANCEL MOVE";
    case MoveWish::kReverse:
      return "REVERSE MOVE";
    case MoveWish::kFinish:
      return "FINISH MOVE";
  }
  return "";
}

std::string TagOfSession(SessionStatement::Kind kind) {
  switch (kind) {
    case SessionStatement::Kind::kEmpty:
      return "";
    case SessionStatement::Kind::kSet:
      return "SET";
    case SessionStatement::Kind::kReset:
      return "RESET";
    case SessionStatement::Kind::kBegin:
      return "BEGIN";
    case SessionStatement::Kind::kCommit:
      return "COMMIT";
    case SessionStatement::Kind::kRollback:
      return "ROLLBACK";
    case SessionStatement::Kind::kDiscard:
      return "DISCARD ALL";
    case SessionStatement::Kind::kDeallocate:
      return "DEALLOCATE";
    case SessionStatement::Kind::kCloseAll:
      return "CLOSE CURSOR ALL";
    case SessionStatement::Kind::kUnlisten:
      return "UNLISTEN";
    case SessionStatement::Kind::kShowParameter:
      return "SHOW";
    case SessionStatement::Kind::kSelect:
      return "SELECT 1";
  }
  return "";
}

}  // namespace

CommandRoom RoomOf(const Command& command) {
  return std::visit(Overloaded{
                        [](const Show& show) { return RoomOfShow(show.subject); },
                        [](const Help&) { return CommandRoom::kMap; },
                        [](const SessionStatement&) { return CommandRoom::kSession; },
                        [](const ExplainRoute&) { return CommandRoom::kProxy; },
                        [](const KillClient&) { return CommandRoom::kProxy; },
                        [](const Pause&) { return CommandRoom::kProxy; },
                        [](const Resume&) { return CommandRoom::kProxy; },
                        [](const Reload&) { return CommandRoom::kProxy; },
                        [](const Shutdown&) { return CommandRoom::kProxy; },
                        [](const auto&) { return CommandRoom::kCatalog; },
                    },
                    command);
}

std::string TagOf(const Command& command) {
  return std::visit(
      Overloaded{
          [](const CreateShard&) -> std::string { return "CREATE SHARD"; },
          [](const AlterShard&) -> std::string { return "ALTER SHARD"; },
          [](const DropShard&) -> std::string { return "DROP SHARD"; },
          [](const CreateDistribution&) -> std::string { return "CREATE DISTRIBUTION"; },
          [](const DropDistribution&) -> std::string { return "DROP DISTRIBUTION"; },
          [](const CreateKeyRange&) -> std::string { return "CREATE KEY RANGE"; },
          [](const SplitKeyRange&) -> std::string { return "SPLIT KEY RANGE"; },
          [](const UniteKeyRanges&) -> std::string { return "UNITE KEY RANGE"; },
          [](const MoveKeyRange&) -> std::string { return "MOVE"; },
          [](const DirectMove& direct) -> std::string { return TagOfMove(direct.wish); },
          [](const AlterMove&) -> std::string { return "ALTER MOVE"; },
          [](const Rebalance&) -> std::string { return "REBALANCE"; },
          [](const SetRebalancer&) -> std::string { return "SET"; },
          [](const DrainShard&) -> std::string { return "DRAIN SHARD"; },
          [](const IsolateKey&) -> std::string { return "ISOLATE KEY"; },
          [](const AttachTable&) -> std::string { return "ALTER DISTRIBUTION"; },
          [](const DetachTable&) -> std::string { return "ALTER DISTRIBUTION"; },
          [](const CreateReferenceTable&) -> std::string { return "CREATE REFERENCE TABLE"; },
          [](const DropReferenceTable&) -> std::string { return "DROP REFERENCE TABLE"; },
          [](const ExplainRoute&) -> std::string { return "EXPLAIN"; },
          [](const Show&) -> std::string { return "SHOW"; },
          [](const KillClient&) -> std::string { return "KILL CLIENT"; },
          [](const Pause&) -> std::string { return "PAUSE"; },
          [](const Resume&) -> std::string { return "RESUME"; },
          [](const Reload&) -> std::string { return "RELOAD"; },
          [](const Shutdown&) -> std::string { return "SHUTDOWN"; },
          [](const Help&) -> std::string { return "HELP"; },
          [](const SessionStatement& s) -> std::string { return TagOfSession(s.kind); },
      },
      command);
}

}  // namespace meridian
