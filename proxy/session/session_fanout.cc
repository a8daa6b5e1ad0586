// How a session runs a statement on several shards: which servers, which messages for each, and how
// it ends.

#include <algorithm>

#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/message_writer.h"

namespace meridian {
namespace {

// LOCK leaves nothing behind that would have to be atomic.
bool IsWrite(const Statement& statement, Route route) {
  return route != Route::kConcat && statement.verb != Verb::kLock;
}

Fanout::Options OptionsOf(const Statement& statement, const Decision& decision) {
  Fanout::Options options;
  options.route = decision.route;
  options.copy_in = statement.verb == Verb::kCopyIn;
  return options;
}

// Literals with ranges relative to the statement's text.
std::vector<Literal> Relative(const Values& values, std::string_view text) {
  const auto offset = static_cast<uint32_t>(text.data() - values.text.data());
  std::vector<Literal> literals(values.literals.begin(), values.literals.end());
  for (Literal& literal : literals) {
    literal.range.begin -= offset;
    literal.range.end -= offset;
  }
  return literals;
}

// For each row of the client's INSERT, which branch returns it.
std::vector<uint32_t> RowOrder(const std::vector<ShardInsert>& inserts) {
  size_t rows = 0;
  for (const ShardInsert& insert : inserts) rows += insert.rows.size();
  std::vector<uint32_t> order(rows, 0);
  for (uint32_t branch = 0; branch < inserts.size(); ++branch) {
    for (const uint32_t row : inserts[branch].rows) {
      if (row < rows) order[row] = branch;
    }
  }
  return order;
}

std::string QueryMessage(std::string_view text) {
  std::string message;
  wire::AppendQuery(message, text);
  return message;
}

// What a statement by the extended protocol needs on each shard, in one piece.
std::string ExtendedRequest(std::string_view text, std::string_view types,
                            std::string_view bind_rest, bool describe) {
  std::string request;
  wire::AppendParse(request, {}, text, types);
  wire::MessageBuilder(request, wire::kBind).U8(0).U8(0).Bytes(bind_rest);
  if (describe) wire::MessageBuilder(request, wire::kDescribe).U8('P').U8(0);
  wire::MessageBuilder(request, wire::kExecute).U8(0).U32(0);
  wire::AppendSync(request);
  return request;
}

// The Bind of one shard's part of a split INSERT: its parameters only.
std::string SubsetBind(const wire::BindView& bind, const std::vector<uint16_t>& parameters) {
  std::string rest;
  const bool each = bind.formats.size() > 1;
  wire::AppendU16(rest, static_cast<uint16_t>(each ? parameters.size() : bind.formats.size()));
  if (each) {
    for (const uint16_t parameter : parameters) wire::AppendU16(rest, bind.formats[parameter]);
  } else if (!bind.formats.empty()) {
    wire::AppendU16(rest, bind.formats[0]);
  }
  wire::AppendU16(rest, static_cast<uint16_t>(parameters.size()));
  for (const uint16_t parameter : parameters) {
    const auto& value = bind.values[parameter];
    wire::AppendU32(rest, value ? static_cast<uint32_t>(value->size()) : 0xffffffff);
    if (value) rest.append(*value);
  }
  return rest.append(bind.result_formats);
}

absl::InlinedVector<Parameter, 8> ParametersOf(const PreparedText& prepared,
                                               const wire::BindView& bind) {
  absl::InlinedVector<Parameter, 8> parameters;
  for (size_t i = 0; i < bind.values.size(); ++i) {
    parameters.push_back({.type = i < prepared.type_oids().size() ? prepared.type_oids()[i] : 0,
                          .binary = bind.IsBinary(i),
                          .value = bind.values[i]});
  }
  return parameters;
}

std::string SubsetTypes(std::string_view types, const std::vector<uint16_t>& parameters) {
  std::string subset;
  for (const uint16_t parameter : parameters) {
    const size_t at = size_t{parameter} * 4;
    subset.append(at + 4 <= types.size() ? types.substr(at, 4) : std::string_view("\0\0\0\0", 4));
  }
  return subset;
}

// A second Execute of a portal that has come to its end.
absl::Status CannotRunAgain(const Statement& statement) {
  if (!statement.returns_rows) {
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState, "portal cannot be run again");
  }
  return Refused("a portal that runs on several shards can be executed once only",
                 "Bind it again.");
}

}  // namespace

absl::Status Session::CheckFanout(const Statement& statement, const Decision& decision) {
  if (const absl::Status status = CheckUnknownSettings(decision.shards); !status.ok()) {
    return status;
  }
  const bool defines = statement.verb == Verb::kDdl || statement.verb == Verb::kMaintenance;
  if (!defines) {
    if (const absl::Status status = CheckIsolation(); !status.ok()) return status;
  }
  if (decision.route == Route::kMove && IsolationLevel() == "repeatable read") {
    return Refused(
        "this UPDATE moves rows to another shard, and a snapshot of REPEATABLE READ does "
        "not show whether their table has triggers by now",
        "Use READ COMMITTED, or delete the rows and insert them anew.");
  }
  for (const Participant& participant : participants_) {
    if (!participant.in_transaction || !decision.shards.Contains(participant.shard)) continue;
    const absl::Status status = CheckOnReplica(statement, participant);
    if (!status.ok()) return status;
  }
  if (!IsWrite(statement, decision.route)) return absl::OkStatus();
  if (statement.verb == Verb::kCopyIn && script_ != nullptr) {
    return Refused("COPY FROM STDIN on several shards among other statements is not supported",
                   "Send it as a text of its own; BEGIN before it makes it one transaction.");
  }
  if (statement.needs_own_transaction && transaction_.open()) {
    return SqlStatus(sqlstate::kActiveTransaction,
                     "this command cannot run inside a transaction block");
  }
  return absl::OkStatus();
}

// One server per shard, all ready. Blocked until the last has come.
Session::Progress Session::EnlistAll(const ShardSet& shards, absl::Status* error, Access access) {
  Progress progress = Progress::kDone;
  shards.ForEach([&](ShardIndex shard) {
    if (progress == Progress::kBlocked || !error->ok()) return;
    const auto participant = Enlist(shard, Join::kNot, access);
    if (!participant.ok()) {
      *error = participant.status();
    } else if (*participant == nullptr) {
      progress = Progress::kBlocked;
    }
  });
  if (progress == Progress::kDone && error->ok() && !pending_.empty())
    progress = Progress::kBlocked;
  return progress;
}

// The same, with snapshots that belong together where that is wanted.
Session::Progress Session::ReadyAll(const Statement& statement, const Decision& decision,
                                    absl::Status* error) {
  if (meridian_.snapshot == SnapshotMode::kConsistent && decision.route == Route::kConcat &&
      !transaction_.open() && pin_ == PinReason::kNone) {
    // What follows in a pipeline is part of it, and may write.
    const bool writes = statement.writes || batch_open_;
    TransactionModes modes{.isolation = "repeatable read", .read_only = !writes};
    OpenTransaction(writes ? "BEGIN ISOLATION LEVEL REPEATABLE READ"
                           : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                    true, std::move(modes));
  }
  if (IsWrite(statement, decision.route) && !transaction_.open() &&
      !statement.needs_own_transaction && IsolationLevel() == "repeatable read") {
    OpenTransaction("BEGIN", true);  // for the snapshots; else MakeFanout does it
  }
  if (gate_ != nullptr || WantsSnapshots()) {
    if (TakeSnapshots(error) == Progress::kBlocked) return Progress::kBlocked;
    if (!error->ok()) return Progress::kDone;
  }
  const Access access = batch_executed_ ? Access::kPrimary : AccessOf(statement);
  return EnlistAll(decision.shards, error, access);
}

Session::Progress Session::StartFanout(const Unit& unit, const Decision& decision) {
  absl::Status status = CheckFanout(unit.statement, decision);
  if (status.ok() && ReadyAll(unit.statement, decision, &status) == Progress::kBlocked) {
    return Progress::kBlocked;
  }
  Fanout::Options options = OptionsOf(unit.statement, decision);
  std::vector<ShardInsert> inserts;
  if (status.ok() && decision.route == Route::kSplit) {
    const std::vector<Literal> literals = Relative(unit.values, unit.text);
    auto split =
        host_.router().SplitInsert(unit.statement, {unit.text, literals, {}, unit.values.encoding});
    status = split.status();
    if (split.ok()) inserts = std::move(*split);
    if (unit.statement.returns_rows) {
      options.row_order = RowOrder(inserts);
      options.describe_with_rows = true;
    }
  }
  OwnedTexts owned;
  if (status.ok()) status = FindOwnedTexts(decision, unit.text, Context(), {}, &owned);
  if (status.ok() && decision.route == Route::kMove) {
    auto move = host_.router().FindKeyMove(unit.statement, unit.values);
    status = move.status();
    if (move.ok()) options.move = std::move(*move);
    options.describe_with_rows = unit.statement.returns_rows;
  }
  if (!status.ok()) return RefuseUnit(status, unit.final);
  MakeFanout(unit.statement, decision, std::move(options));
  if (decision.route == Route::kSplit) {
    for (const ShardInsert& insert : inserts) {
      AddBranch(unit.statement, decision.route, insert.shard, QueryMessage(insert.text));
    }
  } else {
    decision.shards.ForEach([&](ShardIndex shard) {
      AddBranch(unit.statement, decision.route, shard, QueryMessage(owned.Of(shard, unit.text)));
    });
  }
  fanout_->Start();
  if (unit.statement.verb != Verb::kCopyIn) return Progress::kBlocked;
  // The client's data comes behind this message, so the message must be done with.
  copy_fanout_ = CopyFanout::kSimple;
  return Progress::kDone;
}

// What shards that may hold stray rows are sent instead of the text.
absl::Status Session::FindOwnedTexts(const Decision& decision, std::string_view text,
                                     const SqlContext& context,
                                     absl::Span<const Oid> parameter_types,
                                     OwnedTexts* owned) const {
  const ShardSet strays = host_.router().map().ShardsWithStrays() & decision.shards;
  if (strays.empty()) return absl::OkStatus();
  if (!decision.LeavesOutStrays()) return absl::OkStatus();
  absl::Status status;
  strays.ForEach([&](ShardIndex shard) {
    auto changed = host_.router().OwnedText(text, context, parameter_types, shard);
    status.Update(changed.status());
    if (changed.ok()) owned->texts.emplace_back(shard, *std::move(changed));
  });
  return status;
}

std::string_view Session::OwnedTexts::Of(ShardIndex shard, std::string_view text) const {
  for (const auto& [changed, owned] : texts) {
    if (changed == shard) return owned;
  }
  return text;
}

void Session::MakeFanout(const Statement& statement, const Decision& decision,
                         Fanout::Options options) {
  host_.metrics().routes[static_cast<RouteKind>(decision.route)].Add();
  if (IsWrite(statement, decision.route) && !transaction_.open() &&
      !statement.needs_own_transaction) {
    // All shards or none: a transaction of the proxy's own, until the statement or Sync ends it.
    OpenTransaction("BEGIN", true);
  }
  if (decision.route == Route::kCopySplit) {
    options.splitter = std::make_unique<CopySplitter>(*statement.copy, host_.router().shared_map(),
                                                      Context().encoding);
    if (!meridian_.shard.empty() || !meridian_.distribution_key.empty()) {
      options.only_shard = decision.shards.first();
    }
  }
  schema_changed_ |= statement.changes_schema;
  fanout_reads_replicas_ =
      std::any_of(participants_.begin(), participants_.end(), [&](const Participant& participant) {
        return participant.replica != nullptr && decision.shards.Contains(participant.shard);
      });
  options.describe_with_rows |= fanout_reads_replicas_;  // so that it may be run again
  fanout_ = std::make_unique<Fanout>(host_, out, std::move(options));
}

// A server that is not in the transaction yet joins it ahead of the statement.
void Session::AddBranch(const Statement& statement, Route route, ShardIndex shard,
                        std::string request) {
  Participant& participant = *FindParticipant(shard);

  std::string begin;
  if (transaction_.open() && !participant.in_transaction) begin = transaction_.JoinText();
  fanout_->AddBranch(shard, *participant.server, std::move(request), std::move(begin));
  NoteWrite(participant, IsWrite(statement, route));
  if (statement.draws) drew_on_.Add(shard);
  participant.has_written |= statement.writes;
  participant.locked |= statement.writes;
}

// The fan-out is over: its result waits for the message that started it, which is handled again
// now.
void Session::OnFanoutDone() {
  for (Participant& participant : participants_) {
    if (!fanout_->Has(*participant.server)) continue;
    participant.in_transaction = participant.server->transaction_status != wire::kIdle;
  }
  if (fanout_->error() && RunFanoutOnPrimaries()) return;
  if (fanout_->error()) {
    SqlError error = *fanout_->error();
    if (running_ && running_->needs_own_transaction) error.detail = FanoutReport();
    fanout_result_ = ToStatus(error);
    schema_changed_ &= running_ && running_->needs_own_transaction;  // else all is undone
  } else {
    fanout_result_ = fanout_->Tag();
  }
  fanout_.reset();
}

// VACUUM, CREATE INDEX CONCURRENTLY and the like are transactions of their own on each shard.
std::string Session::FanoutReport() const {
  std::string done, not_done;
  fanout_->ForEachBranch([&](const std::string& shard, bool completed) {
    std::string& list = completed ? done : not_done;
    list += (list.empty() ? "" : ", ") + shard;
  });
  return "Done on " + (done.empty() ? "no shard" : done) + "; not done on " + not_done + ".";
}

// The message that started a COPY is done with, so nobody handles it again: its result is told as
// soon as it is there.
void Session::FinishCopyFanout() {
  if (!fanout_result_) return;
  const Progress progress =
      copy_fanout_ == CopyFanout::kExtended ? TakeExecuteResult() : TakeFanoutResult(true);
  if (progress == Progress::kDone) copy_fanout_ = CopyFanout::kNone;
}

Session::Progress Session::TakeFanoutResult(bool final) {
  if (script_ == nullptr) {
    // The transaction of our own around a single statement ends with it.
    if (!fanout_result_->ok()) transaction_.Fail();
    absl::Status ended;
    if (EndImplicit(&ended) == Progress::kBlocked) return Progress::kBlocked;
    if (fanout_result_->ok() && !ended.ok()) fanout_result_ = ended;
  }
  const absl::StatusOr<std::string> result = *std::exchange(fanout_result_, std::nullopt);
  if (result.ok()) {
    FinishUnit(*result, final);
  } else {
    FailUnit(result.status(), final);
  }
  return Progress::kDone;
}

// ---------------------------------------------------------------------------------------------
// The extended protocol

Session::Progress Session::BindFanout(const Ref<const PreparedText>& prepared,
                                      const wire::BindView& bind) {
  Portal& portal = portals_[std::string(bind.portal)];
  portal = {.kind = Portal::Kind::kFanout,
            .prepared = prepared,
            .bind_rest = std::string(bind.after_names),
            .encoding = Context().encoding};
  unplaced_.push_back(
      {.request = wire::kBind, .prepared = {}, .name = {}, .bytes = {}, .local = true});
  wire::AppendEmptyMessage(unplaced_.back().bytes, wire::kBindComplete);
  return Progress::kDone;
}

Session::Progress Session::ExecuteFanout(Portal& portal, uint32_t max_rows) {
  if (fanout_result_) {
    portal.executed = true;
    return TakeExecuteResult();
  }
  // Parse messages before it are answered here: the text is sent to every shard anyway.
  for (Unplaced& unplaced : unplaced_) {
    if (unplaced.request == wire::kParse && unplaced.prepared.get() == portal.prepared.get()) {
      unplaced.local = true;
      unplaced.bytes.clear();
      wire::AppendEmptyMessage(unplaced.bytes, wire::kParseComplete);
    }
  }
  if (PlaceUnplaced() == Progress::kBlocked) return Progress::kBlocked;
  if (batch_server_ != nullptr) {
    if (const absl::Status status = OpenImplicit(); !status.ok()) {
      FailBatch(status);
      return Progress::kDone;
    }
    EndServerBatch(Pending::Show::kSwallow);
  }
  if (!pending_.empty()) return Progress::kBlocked;

  const Statement& statement = *StatementOf(*portal.prepared);
  std::string body("\0\0", 2);
  body.append(portal.bind_rest);
  wire::BindView bind;
  absl::Status status = wire::ParseBind(body, &bind);
  if (portal.executed) status = CannotRunAgain(statement);
  status.Update(CheckEncoding(portal.bind_rest, portal.encoding));
  status.Update(CheckEncoding(portal.prepared->text, portal.prepared->context.encoding));
  auto decision = status.ok() ? DecideBind(*portal.prepared, statement, bind)
                              : absl::StatusOr<Decision>(status);
  status = decision.status();
  if (status.ok() && EnterMoving(*decision, statement.writes, &status) == Progress::kBlocked) {
    return Progress::kBlocked;
  }
  if (status.ok()) status = CheckFanout(statement, *decision);
  const bool copy_in = statement.verb == Verb::kCopyIn;
  if (status.ok() && max_rows != 0 && statement.returns_rows) {
    status = Refused("a row limit on a statement that runs on several shards is not supported",
                     "Fetch all rows: set the fetch size and the maximum of rows to 0.");
  }
  if (status.ok() && ReadyAll(statement, *decision, &status) == Progress::kBlocked) {
    return Progress::kBlocked;
  }
  if (status.ok()) status = StartPortal(portal, bind, statement, *decision);
  if (!status.ok()) {
    FailBatch(status);
    return Progress::kDone;
  }
  if (!copy_in) return Progress::kBlocked;
  portal.executed = true;
  copy_fanout_ = CopyFanout::kExtended;
  return Progress::kDone;
}

absl::Status Session::StartPortal(const Portal& portal, const wire::BindView& bind,
                                  const Statement& statement, const Decision& decision) {
  const PreparedText& prepared = *portal.prepared;
  Fanout::Options options = OptionsOf(statement, decision);
  options.describe = portal.describe;
  const std::string_view rest = bind.after_names;
  if (decision.route == Route::kSplit) {
    const Analysis& analysis = prepared.Current(host_.router());
    const Analysis::Part& part = analysis.parts[0];
    const std::string_view text =
        std::string_view(prepared.text).substr(part.range.begin, part.range.size());
    const auto parameters = ParametersOf(prepared, bind);
    const Values whole{prepared.text, analysis.LiteralsOf(part), {}, Context().encoding};
    const std::vector<Literal> literals = Relative(whole, text);
    auto split =
        host_.router().SplitInsert(statement, {text, literals, parameters, whole.encoding});
    if (!split.ok()) return split.status();
    for (const ShardInsert& insert : *split) {
      for (const uint16_t parameter : insert.parameters) {
        if (parameter < bind.values.size()) continue;
        return SqlStatus(sqlstate::kProtocolViolation,
                         "bind message supplies " + std::to_string(bind.values.size()) +
                             " parameters, but the prepared statement requires more");
      }
    }
    if (statement.returns_rows) options.row_order = RowOrder(*split);
    MakeFanout(statement, decision, std::move(options));
    for (const ShardInsert& insert : *split) {
      AddBranch(
          statement, decision.route, insert.shard,
          ExtendedRequest(insert.text, SubsetTypes(prepared.parameter_types, insert.parameters),
                          SubsetBind(bind, insert.parameters), portal.describe));
    }
  } else {
    OwnedTexts owned;
    const absl::Status found =
        FindOwnedTexts(decision, prepared.text, prepared.context, prepared.type_oids(), &owned);
    if (!found.ok()) return found;
    if (decision.route == Route::kMove) {
      const Analysis& analysis = prepared.Current(host_.router());
      const auto parameters = ParametersOf(prepared, bind);
      auto move = host_.router().FindKeyMove(
          statement,
          {prepared.text, analysis.LiteralsOf(analysis.parts[0]), parameters, Context().encoding});
      if (!move.ok()) return move.status();
      options.move = std::move(*move);
    }
    MakeFanout(statement, decision, std::move(options));
    // COPY has no parameters, and while it reads data a server ignores the Sync behind it.
    const bool copy_in = statement.verb == Verb::kCopyIn;
    if (copy_in && portal.describe) wire::AppendEmptyMessage(out.Own(), wire::kNoData);
    decision.shards.ForEach([&](ShardIndex shard) {
      AddBranch(statement, decision.route, shard,
                copy_in ? QueryMessage(prepared.text)
                        : ExtendedRequest(owned.Of(shard, prepared.text), prepared.parameter_types,
                                          rest, portal.describe));
    });
  }
  running_ = Ref<const Statement>(&statement);
  fanout_->Start();
  return absl::OkStatus();
}

Session::Progress Session::TakeExecuteResult() {
  const absl::StatusOr<std::string> result = *std::exchange(fanout_result_, std::nullopt);
  if (!result.ok()) {
    FailBatch(result.status());
    return Progress::kDone;
  }
  std::string bytes;
  wire::AppendCommandComplete(bytes, *result);
  EmitLocal(std::move(bytes));
  CountStatement(Outcome::kOk);
  return Progress::kDone;
}

}  // namespace meridian
