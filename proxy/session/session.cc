#include "proxy/session/session.h"

#include <algorithm>

#include "proxy/wire/free_memory.h"
#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"

namespace meridian {
namespace {

// Input that waits behind a blocked message: beyond this, the driver stops reading.
constexpr size_t kInboxHighBytes = 256 << 10;

}  // namespace

Session::Session(SessionHost& host, SessionIdentity identity, Ref<const Settings> startup,
                 MeridianSettings meridian)
    : host_(host),
      identity_(std::move(identity)),
      startup_(std::move(startup)),
      startup_meridian_(std::move(meridian)),
      settings_(startup_),
      meridian_(startup_meridian_) {}

Session::~Session() { CloseNow(); }

// ---------------------------------------------------------------------------------------------
// Input

void Session::OnClientBytes(std::string_view bytes) {
  host_.MarkDirty(*this);
  if (closing_) return;
  CompactInbox();
  if (!inbox_.empty()) {
    ReserveInbox(inbox_, bytes.size());
    inbox_.append(bytes);
    ProcessInbox();
    return;
  }
  const size_t used = Process(bytes);
  if (closing_ || used == bytes.size()) return;
  wire::FreeMemory(inbox_);
  ReserveInbox(bytes.substr(used), 0);
  inbox_.append(bytes.substr(used));
}

// Makes room for the message that begins with `start` and of which `more` bytes have come: what it
// announces, but no more than a few times what the client has really sent.
void Session::ReserveInbox(std::string_view start, size_t more) {
  if (start.size() < wire::kHeaderBytes || start[0] == wire::kCopyData) return;
  const uint64_t size = uint64_t{LoadU32(start.data() + 1)} + 1;
  const uint64_t here = start.size() + more;
  if (size <= here || here <= inbox_.capacity()) return;
  inbox_.reserve(std::min<uint64_t>(size, 4 * here));
}

void Session::CompactInbox() {
  if (inbox_used_ == inbox_.size()) {
    if (!inbox_.empty()) wire::FreeMemory(inbox_);  // an idle client keeps none
  } else {
    inbox_.erase(0, inbox_used_);
  }
  inbox_used_ = 0;
}

// Nothing borrows from the inbox now.
void Session::OnFlushed() {
  if (inbox_used_ > 0 && inbox_used_ == inbox_.size()) CompactInbox();
}

void Session::ProcessInbox() {
  if (closing_) return;
  inbox_used_ += Process(std::string_view(inbox_).substr(inbox_used_));
}

bool Session::WantsInput() const {
  if (closing_) return false;
  return !stalled_ || inbox_.size() - inbox_used_ < kInboxHighBytes;
}

bool Session::Blocked() const {
  return waiting_ || schema_wait_ || end_told_ || aborts_ != nullptr ||
         (fanout_ != nullptr ? !fanout_->TakesInput() : copy_fanout_ != CopyFanout::kNone);
}

// Handles what is whole; returns how many bytes are done with.
size_t Session::Process(std::string_view input) {
  const size_t before = input.size();
  stalled_ = false;
  while (!closing_ && !input.empty()) {
    if (Blocked()) {
      stalled_ = true;
      break;
    }
    if (discard_left_ > 0) {
      const size_t skip = static_cast<size_t>(std::min<uint64_t>(discard_left_, input.size()));
      discard_left_ -= skip;
      input.remove_prefix(skip);
      continue;
    }
    if (copy_left_ > 0) {
      input.remove_prefix(ProcessCopyData(input));
      continue;
    }
    if (input.size() < wire::kHeaderBytes) break;
    const char type = input[0];
    const uint32_t length = LoadU32(input.data() + 1);
    const wire::LengthCheck check = wire::CheckClientMessage(type, length);
    if (check != wire::LengthCheck::kOk && Answering()) {
      stalled_ = true;
      break;
    }
    switch (check) {
      case wire::LengthCheck::kOk:
        break;
      case wire::LengthCheck::kUnknownType:
        Violation("invalid frontend message type " +
                  std::to_string(static_cast<unsigned char>(type)));
        return before - input.size();
      case wire::LengthCheck::kBadLength:
        Violation("invalid message length");
        return before - input.size();
    }
    if (type == wire::kCopyData) {
      // Passed on as it comes, or thrown away where no COPY runs, as PostgreSQL does.
      if (expect_copy_in_) {
        stalled_ = true;
        break;
      }
      (Copying() ? copy_left_ : discard_left_) = uint64_t{length} - 4;
      copy_to_ = copy_in_;
      if (copy_to_ != nullptr) copy_to_->out.Append(input.substr(0, wire::kHeaderBytes));
      input.remove_prefix(wire::kHeaderBytes);
      continue;
    }
    const size_t size = size_t{length} + 1;
    if (size > host_.max_message_bytes()) {
      if (Answering()) {
        stalled_ = true;
        break;
      }
      Violation("message of " + std::to_string(size) + " bytes is too long",
                sqlstate::kProgramLimitExceeded, "The limit is the setting max_message_size.");
      break;
    }
    if (input.size() < size) break;
    behind_ = input.substr(size);
    if (Handle(type, input.substr(0, size)) == Progress::kBlocked) {
      stalled_ = true;
      break;
    }
    input.remove_prefix(size);
  }
  return before - input.size();
}

size_t Session::ProcessCopyData(std::string_view input) {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(copy_left_, input.size()));
  copy_left_ -= size;
  if (copy_to_ != nullptr) {
    copy_to_->out.Borrow(input.substr(0, size));
    if (copy_left_ == 0) copy_to_ = nullptr;
    // The COPY may have failed in the middle of this message: the server is free only now.
    if (copy_left_ == 0 && copy_in_ == nullptr) OnIdle();
  } else if (fanout_ != nullptr && fanout_->TakesInput()) {
    fanout_->OnCopyData(input.substr(0, size));
  }
  return size;
}

bool Session::Copying() const {
  return copy_in_ != nullptr || (fanout_ != nullptr && fanout_->TakesInput());
}

// PostgreSQL reads a message when it has answered those before: what ends the session must not
// overtake answers that are on their way.
bool Session::Answering() const {
  return !pending_.empty() && batch_server_ == nullptr && !Copying();
}

Session::Progress Session::Handle(char type, std::string_view message) {
  const std::string_view body = message.substr(wire::kHeaderBytes);
  switch (type) {
    case wire::kTerminate:
      if (Answering()) return Progress::kBlocked;
      OnClientClosed();
      host_.CloseClient(*this);
      return Progress::kDone;
    case wire::kCopyDone:
    case wire::kCopyFail:
      if (expect_copy_in_) return Progress::kBlocked;
      if (copy_in_ != nullptr) {
        copy_in_->out.Append(message);
        copy_in_ = nullptr;
      } else if (fanout_ != nullptr && fanout_->TakesInput()) {
        fanout_->OnCopyEnd(type == wire::kCopyDone, body);
      }
      return Progress::kDone;
    case wire::kSync:
      // PostgreSQL ignores Sync and Flush while it reads COPY data.
      if (Copying()) return Progress::kDone;
      return expect_copy_in_ ? Progress::kBlocked : HandleSync(message);
    case wire::kFlush:
      if (Copying()) return Progress::kDone;
      return skip_until_sync_ ? Progress::kDone : HandleFlush();
    default:
      break;
  }
  if (skip_until_sync_) return Progress::kDone;
  if (expect_copy_in_) return Progress::kBlocked;
  if (Copying()) {
    // PostgreSQL loses synchronization here, too (copyfromparse.c, CopyGetData).
    Violation("unexpected message type \"" + std::string(1, type) + "\" during COPY from stdin");
    return Progress::kDone;
  }
  if (type == wire::kQuery) return HandleQuery(message);
  if (type == wire::kFunctionCall) return HandleFunctionCall(message);
  batch_open_ = true;
  switch (type) {
    case wire::kParse:
      return HandleParse(body);
    case wire::kBind:
      return HandleBind(message);
    case wire::kDescribe:
      return HandleDescribe(message);
    case wire::kExecute:
      return HandleExecute(message);
    case wire::kClose:
      return HandleClose(message);
    default:
      if (Answering()) return Progress::kBlocked;
      Violation("unexpected message after authentication");
      return Progress::kDone;
  }
}

// ---------------------------------------------------------------------------------------------
// Ends

void Session::Violation(std::string message, std::string_view sqlstate, std::string_view hint) {
  host_.metrics().protocol_violations.Add();
  Fatal({.sqlstate = std::string(sqlstate),
         .message = std::move(message),
         .detail = {},
         .hint = std::string(hint)});
}

void Session::Fatal(const SqlError& error) {
  if (closing_) return;
  host_.metrics().errors_synthesised.Add();
  // Within a row the error would be taken for the rest of it: there the end alone must tell.
  if (!WithinRow()) wire::AppendError(out.Own(), wire::Severity::kFatal, error);
  CloseNow();
  host_.CloseClient(*this);
}

void Session::OnClientClosed() { CloseNow(); }

// Gives up everything. Servers that are busy are told to stop and closed; those that only hold an
// open transaction are rolled back and used again.
void Session::CloseNow() {
  if (closing_) return;
  closing_ = true;
  if (waiting_) host_.pools().Forget(*this);
  waiting_ = false;
  const bool busy = fanout_ != nullptr || broadcast_ != nullptr || ending_ != nullptr ||
                    aborts_ != nullptr || gate_ != nullptr || batch_server_ != nullptr ||
                    copy_in_ != nullptr || copy_left_ > 0;
  if (fanout_ != nullptr) fanout_->Cancel();
  for (const Participant& participant : participants_) {
    Server& server = *participant.server;
    server.owner = nullptr;
    const bool in_use = busy || (!pending_.empty() && active_ == &server);
    if (in_use) {
      const bool cancels = fanout_ == nullptr && !(active_ == &server && AwaitsPrelude());
      if (cancels) host_.CancelServer(server);
      host_.pools().Return(server, Release::kDrop);
    } else if (server.transaction_status != wire::kIdle) {
      if (transaction_.open() && transaction_.settings_changed()) DistrustSettings(server);
      host_.pools().Return(
          server, participant.pinned || participant.unclean ? Release::kDrop : Release::kRollback);
    } else {
      host_.pools().Return(
          server, participant.pinned || participant.unclean ? Release::kReset : Release::kClean);
    }
  }
  SetPin(PinReason::kNone);
  fanout_.reset();
  broadcast_.reset();
  ending_.reset();
  aborts_.reset();
  gate_.reset();
  participants_.clear();
  pending_.clear();
  script_.reset();
  active_ = batch_server_ = copy_in_ = copy_to_ = nullptr;
}

void Session::Terminate(const SqlError& reason, bool now) {
  host_.MarkDirty(*this);
  if (idle() || (now && !settling())) {
    Fatal(reason);
  } else {
    drain_ = std::make_unique<const SqlError>(reason);
  }
}

bool Session::idle() const {
  return pending_.empty() && fanout_ == nullptr && ending_ == nullptr && script_ == nullptr &&
         copy_fanout_ == CopyFanout::kNone && !batch_open_ && !transaction_.open() && !waiting_ &&
         !schema_wait_;
}

bool Session::owes_answer() const {
  return !closing_ && copy_in_ == nullptr && (fanout_ == nullptr || !fanout_->TakesInput()) &&
         (!pending_.empty() || fanout_ != nullptr || ending_ != nullptr || script_ != nullptr ||
          copy_fanout_ != CopyFanout::kNone || waiting_ || schema_wait_ || stalled_);
}

// ---------------------------------------------------------------------------------------------
// When something has ended, or changed outside

// Called when something has ended: gives servers back where nothing is owed any more, and goes on
// with the input.
void Session::OnIdle() {
  if (closing_ || !pending_.empty() || fanout_ != nullptr || broadcast_ != nullptr ||
      ending_ != nullptr || aborts_ != nullptr || gate_ != nullptr || fanout_result_ ||
      script_ != nullptr || waiting_ || copy_to_ != nullptr) {
    return;
  }
  if (batch_open_) return;
  active_ = nullptr;
  clock_runs_ = false;  // what has not executed anything was no statement
  if (transaction_.open()) {
    AbortOthers();
    if (aborts_ == nullptr) ReleaseParticipants(false);  // those that have only told of a statement
    return;
  }
  moving_used_ = 0;
  map_in_use_ = {};
  if (!portals_.empty()) portals_.clear();  // they end with the transaction
  unnamed_portal_ = {};
  ReleaseParticipants(false);
  if (schema_changed_) {
    // What the DDL has changed must be known before the next statement of this client is planned.
    schema_changed_ = false;
    schema_wait_ = true;
    host_.RequestSchemaRefresh(*this);
  }
  if (drain_ != nullptr && idle()) Fatal(*drain_);
}

void Session::OnSchemaRefreshed() {
  host_.MarkDirty(*this);
  schema_wait_ = false;
  ProcessInbox();
  OnIdle();
}

void Session::OnMapChanged(const ShardMap& before, const ShardMap& after) {
  // A shard that is gone keeps a number that no statement can be routed to.
  const auto move = [&](ShardIndex& shard) {
    if (shard.value >= before.shards().size()) return;
    shard = after.FindShard(before.shard(shard).name).value_or(ShardIndex{kMaxShards});
  };
  for (Participant& participant : participants_) move(participant.shard);
  if (waiting_) move(waiting_for_);
  for (auto& [name, portal] : portals_) move(portal.shard);
  move(unnamed_portal_shard_);
  for (auto& [name, shard] : cursors_) move(shard);
  if (needs_ != nullptr) needs_->OnMapChanged(before, after);
  if (moving_used_ != 0) TranslateMoving(before, after);
}

absl::StatusOr<RouteHints> Session::Hints() const {
  RouteHints hints;
  hints.in_transaction = transaction_.open();
  if (!meridian_.shard.empty()) {
    hints.shard = host_.router().map().FindShard(meridian_.shard);
    if (!hints.shard) {
      return SqlStatus(sqlstate::kInvalidParameterValue,
                       "shard \"" + meridian_.shard + "\" of meridian.shard does not exist",
                       "RESET meridian.shard, or set it to one of SHOW SHARDS.");
    }
  } else if (!meridian_.distribution_key.empty()) {
    auto shard = host_.router().ShardOfKey(meridian_.distribution_key);
    if (!shard.ok()) return shard.status();
    hints.shard = *shard;
  }
  return hints;
}

const SqlContext& Session::Context() {
  if (context_ == nullptr) {
    const Settings& local = transaction_.open() ? *transaction_.local() : *host_.settings().Empty();
    context_ = &host_.contexts().Of(identity_.user, *identity_.defaults, *settings_, local);
  }
  return *context_;
}

}  // namespace meridian
