#include "router/plan/decide.h"

#include <fmt/format.h>

#include "router/plan/stored_key.h"
#include "router/plan/time_words.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

Decision One(ShardIndex shard, MovingSet moving = 0) {
  return {Route::kOne, ShardSet::Of(shard, moving)};
}

absl::Status NoRanges(const Distribution& distribution) {
  return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                   fmt::format("distribution \"{}\" has no key range", distribution.name()),
                   "Create one with CREATE KEY RANGE in the admin database.");
}

absl::Status CheckAssignedKeys(const RouteProgram& program, const Values& values) {
  for (const AssignedKey& key : program.assigned) {
    const OperandValue value =
        ReadOperand(key.operand, key.type, values, program.standard_conforming_strings);
    absl::Status stored = CheckStoredKey(value, key.type, key.modifier, key.table, key.column);
    if (!stored.ok()) return stored;
  }
  return absl::OkStatus();
}

// What the statement needs, before any hint.
struct Needs {
  ShardSet shards;
  bool server_error = false;  // the server will refuse a value
};

absl::StatusOr<Needs> FindNeeds(const RouteProgram& program, const ShardMap& map,
                                const Values& values) {
  Needs needs;
  for (const ShardedReference& reference : program.references) {
    const Distribution& distribution = map.distributions()[reference.distribution];
    if (distribution.ranges().empty()) return NoRanges(distribution);
    const std::optional<ShardSet> owners =
        Owners(reference.keys, distribution, values, program.standard_conforming_strings);
    if (owners.has_value()) {
      needs.shards.Add(*owners);
    } else {
      needs.server_error = true;
    }
  }
  if (program.insert.has_value()) {
    auto rows = ShardsOfRows(*program.insert, program, map, values);
    if (!rows.ok()) return rows.status();
    if (!rows->has_value()) needs.server_error = true;
    if (rows->has_value()) {
      for (const ShardSet& shard : **rows) needs.shards.Add(shard);
    }
  }
  if (program.needs_default_shard) needs.shards.Add(ShardMap::kDefaultShard);
  return needs;
}

// A row with this key belongs elsewhere; a hint must not misplace it.
absl::Status CheckHint(const RouteProgram& program, const ShardMap& map, const Needs& needs,
                       ShardIndex shard) {
  if (!program.written_reference_table.empty()) {
    return Refused(fmt::format("reference table {} is written on all shards, not on \"{}\" alone",
                               program.written_reference_table, map.shard(shard).name),
                   "RESET meridian.shard (or meridian.distribution_key) for this statement.");
  }
  const bool places_rows = program.insert.has_value() || !program.assigned.empty();
  if (places_rows && !needs.server_error && !(needs.shards == ShardSet::Of(shard))) {
    return Refused(fmt::format("the rows of this statement do not belong to shard \"{}\"",
                               map.shard(shard).name),
                   "RESET meridian.shard (or meridian.distribution_key) for this statement.");
  }
  return absl::OkStatus();
}

absl::StatusOr<Decision> DecideEverywhere(const RouteProgram& program, const ShardMap& map,
                                          const Values& values, const Needs& needs) {
  if (!program.everywhere_refusal.ok()) return program.everywhere_refusal;
  if (HasTimeWord(values, program.standard_conforming_strings)) {
    return Refused(fmt::format("a value for reference table {} may mean the current time, which "
                               "differs between shards",
                               program.written_reference_table),
                   "Write the time itself instead of now, today, tomorrow or yesterday.");
  }
  if (!needs.shards.empty()) {
    return Refused(fmt::format("a write of reference table {} cannot also use other tables",
                               program.written_reference_table),
                   "Read the values first, then write them.");
  }
  return Decision{Route::kEvery, map.AllShards()};
}

// Not for a shard to say: by now the function may exist, and the statement run on that shard alone.
absl::Status MissingFunction(const RouteProgram& program) {
  return SqlStatus(sqlstate::kUndefinedFunction,
                   fmt::format("function {}() is not known", program.missing_function),
                   "If it exists: it is a function that this transaction created, or others a "
                   "moment ago, or a type or column that is called like a function.");
}

absl::StatusOr<Decision> DecideSeveral(const RouteProgram& program, const ShardSet& shards) {
  if (program.move.has_value()) return Decision{Route::kMove, shards};
  if (program.insert.has_value()) {
    if (!program.insert->split_refusal.ok()) return program.insert->split_refusal;
    if (program.references.empty() && !program.needs_default_shard) {
      return Decision{Route::kSplit, shards};
    }
  }
  switch (program.several) {
    case RouteProgram::Several::kConcat:
      return Decision{Route::kConcat, shards};
    case RouteProgram::Several::kSum:
      return Decision{Route::kSum, shards};
    case RouteProgram::Several::kRefuse:
      break;
  }
  return program.missing_function.empty() ? program.several_refusal : MissingFunction(program);
}

absl::StatusOr<Decision> DecideQuery(const RouteProgram& program, const ShardMap& map,
                                     const Values& values, const RouteHints& hints) {
  const absl::StatusOr<Needs> needs = FindNeeds(program, map, values);
  if (!needs.ok()) return needs.status();
  if (const absl::Status keys = CheckAssignedKeys(program, values); !keys.ok()) return keys;
  if (hints.shard.has_value()) {
    if (const absl::Status check = CheckHint(program, map, *needs, *hints.shard); !check.ok()) {
      return check;
    }
    // Alone, it goes where all sessions meet; with tables of the chosen shard it can't.
    if (!program.default_shard_only.empty()) {
      if (program.references.empty()) return One(ShardMap::kDefaultShard);
      if (*hints.shard != ShardMap::kDefaultShard) {
        return Refused(fmt::format("{} works on the default shard, not on \"{}\"",
                                   program.default_shard_only, map.shard(*hints.shard).name),
                       "Call it in a statement of its own.");
      }
    }
    return One(*hints.shard, map.MovingAt(*hints.shard));
  }
  if (!program.written_reference_table.empty())
    return DecideEverywhere(program, map, values, *needs);
  const ShardSet& shards = needs->shards;
  if (shards.has_one() || (needs->server_error && !shards.empty())) {
    return One(shards.first(), shards.moving());
  }
  if (!shards.empty()) return DecideSeveral(program, shards);
  // Conditions that no row can satisfy, or a value that the server refuses: any shard says so.
  if (!program.references.empty() || program.insert.has_value())
    return One(ShardMap::kDefaultShard);
  if (!program.missing_function.empty()) return MissingFunction(program);
  return Refused(fmt::format("{} may read or change anything on the shard where it runs",
                             program.unknown_function),
                 "Say where it runs: SET meridian.shard or SET meridian.distribution_key.");
}

}  // namespace

absl::StatusOr<Decision> RunProgram(const RouteProgram& program, const ShardMap& map,
                                    const Values& values, const RouteHints& hints) {
  using Kind = RouteProgram::Kind;
  if (program.kind == Kind::kSession) return Decision{Route::kSession, {}};
  if (map.shards().size() == 1 && program.kind != Kind::kAnywhere) {
    return One(ShardMap::kDefaultShard);
  }
  if (!program.refusal.ok()) return program.refusal;
  // One shard's words will do.
  if (program.needs_transaction && !hints.in_transaction) {
    return One(hints.shard.value_or(ShardMap::kDefaultShard));
  }
  switch (program.kind) {
    case Kind::kAnywhere:
      if (hints.shard.has_value()) return One(*hints.shard);
      if (!program.opaque_refusal.ok()) return program.opaque_refusal;
      return Decision{Route::kAny, {}};
    case Kind::kEverywhere:
      if (hints.shard.has_value()) return One(*hints.shard);
      if (!program.everywhere_refusal.ok()) return program.everywhere_refusal;
      return Decision{Route::kEvery, map.AllShards()};
    case Kind::kCopyIn:
      return Decision{Route::kCopySplit,
                      hints.shard.has_value()
                          ? ShardSet::Of(*hints.shard, map.MovingAt(*hints.shard))
                          : map.distributions()[program.references[0].distribution].AllOwners()};
    default:
      return DecideQuery(program, map, values, hints);
  }
}

}  // namespace meridian
