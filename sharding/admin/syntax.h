// The one table of admin commands: dispatch of the parser, HELP, and the hints of syntax errors.
// Pure.
#pragma once

#include <absl/types/span.h>

#include <string_view>

#include "sharding/admin/command.h"
#include "sharding/admin/cursor.h"

namespace meridian {

struct CommandSyntax {
  std::string_view name;      // the keywords that it starts with: "CREATE SHARD"
  std::string_view syntax;    // the whole, without ';'
  std::string_view summary;   // one sentence
  Command (*parse)(Cursor&);  // the part behind the name
};

// In the order of docs/admin.md.
absl::Span<const CommandSyntax> CommandTable();

// nullptr: none of this name (in capitals, words separated by one space).
const CommandSyntax* FindCommand(std::string_view name);

// SHOW's subjects by name ("KEY RANGES"), in the order of the documentation.
struct SubjectName {
  std::string_view name;
  ShowSubject subject;
};
absl::Span<const SubjectName> ShowSubjects();
std::string_view NameOf(ShowSubject subject);

// Values of options. As in postgresql.conf, a number with a unit: "20MB", "2s", "20%"; without one
// the first of `units` is meant. `example`: for the error.
struct MeasureUnit {
  std::string_view name;
  uint64_t size;
};
inline constexpr MeasureUnit kByteUnits[] = {
    {"B", 1}, {"kB", uint64_t{1} << 10}, {"MB", uint64_t{1} << 20}, {"GB", uint64_t{1} << 30}};
std::optional<uint64_t> TakeMeasure(Cursor& cursor, absl::Span<const MeasureUnit> units,
                                    std::string_view example);

// The parse functions, one file per group.
Command ParseCreateShard(Cursor& cursor);
Command ParseAlterShard(Cursor& cursor);
Command ParseDropShard(Cursor& cursor);
Command ParseCreateDistribution(Cursor& cursor);
Command ParseDropDistribution(Cursor& cursor);
Command ParseAlterDistribution(Cursor& cursor);
Command ParseCreateKeyRange(Cursor& cursor);
Command ParseSplitKeyRange(Cursor& cursor);
Command ParseUniteKeyRange(Cursor& cursor);
Command ParseMoveKeyRange(Cursor& cursor);
Command ParsePauseMove(Cursor& cursor);
Command ParseResumeMove(Cursor& cursor);
Command ParseCancelMove(Cursor& cursor);
Command ParseReverseMove(Cursor& cursor);
Command ParseFinishMove(Cursor& cursor);
Command ParseAlterMove(Cursor& cursor);
Command ParseRebalance(Cursor& cursor);
Command ParseSetRebalancer(Cursor& cursor);
Command ParseDrainShard(Cursor& cursor);
Command ParseIsolateKey(Cursor& cursor);
Command ParseCreateReferenceTable(Cursor& cursor);
Command ParseDropReferenceTable(Cursor& cursor);
Command ParseExplainRoute(Cursor& cursor);
Command ParseShow(Cursor& cursor);
Command ParseKillClient(Cursor& cursor);
Command ParsePause(Cursor& cursor);
Command ParseResume(Cursor& cursor);
Command ParseReload(Cursor& cursor);
Command ParseShutdown(Cursor& cursor);
Command ParseHelp(Cursor& cursor);

// SET, BEGIN, SELECT 1...: nullopt where the statement starts with no word of these. The cursor is
// at the statement's start.
std::optional<Command> ParseSession(Cursor& cursor);

}  // namespace meridian
