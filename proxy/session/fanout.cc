#include "proxy/session/fanout.h"

#include <algorithm>
#include <charconv>

#include "proxy/session/move_requests.h"
#include "proxy/wire/error_response.h"
#include "proxy/wire/free_memory.h"
#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"

namespace meridian {
namespace {

using wire::MessageStream;

constexpr size_t kHeldHighBytes = 64 << 10;

SqlError MakeError(std::string_view sqlstate, std::string message, std::string hint = {}) {
  return {.sqlstate = std::string(sqlstate),
          .message = std::move(message),
          .detail = {},
          .hint = std::move(hint)};
}

// "INSERT 0 12" -> 12; nullopt where the tag has no count.
std::optional<uint64_t> CountOf(std::string_view tag) {
  const size_t space = tag.rfind(' ');
  if (space == std::string_view::npos) return std::nullopt;
  uint64_t count = 0;
  const std::string_view digits = tag.substr(space + 1);
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (error != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
  return count;
}

}  // namespace

Fanout::Fanout(SessionHost& host, wire::OutQueue& out, Options options)
    : host_(host), out_(out), options_(std::move(options)), map_(host.router().shared_map()) {}

Fanout::~Fanout() {
  for (const Branch& branch : branches_) {
    if (branch.paused && branch.server != nullptr) host_.SetReading(*branch.server, true);
  }
}

void Fanout::AddBranch(ShardIndex shard, Server& server, std::string request, std::string begin) {
  Branch& branch = branches_.emplace_back();
  branch.shard = shard;
  branch.server = &server;
  branch.begin = std::move(begin);
  branch.request = std::move(request);
}

Fanout::Branch* Fanout::Find(const Server& server) {
  for (Branch& branch : branches_) {
    if (branch.server == &server) return &branch;
  }
  return nullptr;
}

bool Fanout::Has(const Server& server) const {
  return std::any_of(branches_.begin(), branches_.end(),
                     [&server](const Branch& branch) { return branch.server == &server; });
}

bool Fanout::RunsOneByOne() const { return options_.route == Route::kEvery && !options_.copy_in; }

void Fanout::StartBranch(Branch& branch) {
  branch.started = true;
  if (!branch.begin.empty()) {
    branch.server->SendQuery(branch.begin);
    ++branch.ready_owed;
    branch.joining = true;
  }
  branch.server->out.Append(branch.request);
  branch.server->unnamed_statement = 0;
  wire::FreeMemory(branch.request);
  ++branch.ready_owed;
  ++branch.server->queries;
}

void Fanout::Start() {
  if (RunsOneByOne()) {
    StartBranch(branches_[0]);
    return;
  }
  for (Branch& branch : branches_) {
    if (options_.move && !options_.move->from.Contains(branch.shard)) continue;
    if (TakesFrom(branch)) {
      branch.request += TakeRequest(*options_.move);
      ++branch.ready_owed;
    }
    StartBranch(branch);
  }
}

bool Fanout::TakesFrom(const Branch& branch) const {
  return options_.move && branch.shard != options_.move->to &&
         options_.move->from.Contains(branch.shard);
}

void Fanout::OnEvent(Server& server, const MessageStream::Event& event) {
  Branch* const branch = Find(server);
  if (event.kind == MessageStream::Kind::kChunk) {
    OnRow(*branch, event);
  } else {
    OnMessage(*branch, event);
  }
  EndIfAnswered();
}

void Fanout::OnMessage(Branch& branch, const MessageStream::Event& event) {
  switch (event.type) {
    case wire::kRowDescription:
    case wire::kNoData:
    case wire::kCopyOutResponse:
      if (!described_ && options_.describe_with_rows) {
        description_ = std::string(event.bytes);
      } else if (!described_ && (options_.describe || event.type == wire::kCopyOutResponse)) {
        out_.Append(event.bytes);
        shown_ = true;
      }
      described_ = true;
      break;
    case wire::kCopyInResponse:
      OnCopyInResponse(event, branch);
      break;
    case wire::kCommandComplete:
      OnCommandComplete(branch, ByteReader(event.body()).String());
      break;
    case wire::kErrorResponse: {
      branch.failed = true;
      branch.alone |= branch.joining;
      Fail(wire::ToSqlError(wire::ParseErrorFields(event.body())));
      break;
    }
    case wire::kReadyForQuery:
      OnReady(branch, event.body().empty() ? wire::kIdle : event.body()[0]);
      break;
    case wire::kNoticeResponse:
      OnNotice(branch, event.bytes);
      break;
    default:
      break;
  }
}

void Fanout::OnNotice(Branch& branch, std::string_view notice) {
  // The same notice from every shard would be said once by one PostgreSQL.
  if (branch.joining || (options_.route == Route::kEvery && &branch != &branches_[0])) return;
  if (within_row() && &branch != &branches_[turn_]) {
    branch.held.append(notice);
  } else {
    out_.Append(notice);
  }
}

void Fanout::OnRow(Branch& branch, const MessageStream::Event& event) {
  const size_t index = static_cast<size_t>(&branch - branches_.data());
  // A row that the client has seen a part of is ended, whatever has happened since.
  if (error_ && !(index == turn_ && within_row())) return;
  if (options_.route == Route::kEvery && index != 0) return;  // the same rows again
  if (branch.step == Step::kTake) {
    OnTakenRow(branch, event.bytes);
    return;
  }
  if (HoldsRows()) {
    branch.held.append(event.bytes);
    if (event.ends && !options_.move) branch.row_ends.push_back(branch.held.size());
    if (branch.held.size() > kHeldRowsMaxBytes) {
      Fail(options_.move
               ? MakeError(sqlstate::kProgramLimitExceeded,
                           "the rows of UPDATE ... RETURNING that changes shards are too large",
                           "Update fewer rows per statement.")
               : MakeError(sqlstate::kProgramLimitExceeded,
                           "the rows of INSERT ... RETURNING on several shards are too large",
                           "Insert fewer rows per statement."));
    }
    return;
  }
  branch.within_row = !event.ends;
  if (index == turn_) {
    ShowDescription();
    if (event.kept) {
      out_.Append(event.bytes);
    } else {
      out_.Borrow(event.bytes);
    }
    return;
  }
  branch.held.append(event.bytes);
  if (branch.held.size() > kHeldHighBytes && !branch.paused) {
    branch.paused = true;
    host_.SetReading(*branch.server, false);
  }
}

void Fanout::OnTakenRow(Branch& branch, std::string_view bytes) {
  branch.taken.append(bytes);
  taken_bytes_ += bytes.size();
  if (taken_bytes_ <= kMovedRowsMaxBytes) return;
  Fail(MakeError(sqlstate::kProgramLimitExceeded,
                 "the rows that this UPDATE moves to another shard are too large",
                 "Update fewer rows per statement."));
}

// All rows that move are here: they go to the shard of their new key.
void Fanout::PutRows() {
  put_started_ = true;
  Branch* to = nullptr;
  std::string request;
  for (Branch& branch : branches_) {
    if (branch.shard == options_.move->to) to = &branch;
    if (!TakesFrom(branch)) continue;
    if (branch.taken_count != CountOf(branch.tag).value_or(0)) {
      Fail(MakeError(sqlstate::kFeatureNotSupported,
                     "cannot move rows exactly: their table has changed, or has rows on a shard "
                     "where they do not belong, or the transaction is not in READ COMMITTED",
                     "Run the transaction again, in READ COMMITTED; if that does not help, compare "
                     "the table's keys on the shards with SET meridian.shard."));
      return;
    }
    taken_count_ += branch.taken_count;
    AppendPuts(branch.taken, request);
    wire::FreeMemory(branch.taken);
  }
  to->request = PutRequest(*options_.move, request);
  if (to->started) to->begin.clear();
  to->completed = true;
  to->step = Step::kPut;
  StartBranch(*to);
}

void Fanout::OnCommandComplete(Branch& branch, std::string_view tag) {
  if (branch.joining) return;
  if (branch.step == Step::kTake) branch.taken_count = CountOf(tag).value_or(0);
  if (branch.step == Step::kPut) put_count_ += CountOf(tag).value_or(0);
  if (branch.step != Step::kStatement) return;
  branch.tag = std::string(tag);
  branch.completed = true;
}

void Fanout::OnReady(Branch& branch, char status) {
  branch.server->transaction_status = status;
  if (branch.ready_owed > 0) --branch.ready_owed;
  const bool joined = std::exchange(branch.joining, false);
  if (joined && branch.cancelled) host_.CancelServer(*branch.server);
  if (!joined && branch.step == Step::kStatement && TakesFrom(branch)) branch.step = Step::kTake;
  if (branch.ready_owed > 0) return;
  if (!branch.failed && !branch.completed && !error_) {
    branch.failed = true;
    Fail(MakeError(sqlstate::kInternalError, "a shard answered without completing the statement"));
  }
  branch.server->pool.metrics().statements[branch.completed ? Outcome::kOk : Outcome::kError].Add();
  if (branch.completed) NextTurn();
  if (RunsOneByOne() && !error_ && &branch == &branches_[0]) {
    for (size_t i = 1; i < branches_.size(); ++i) StartBranch(branches_[i]);
  }
}

void Fanout::ShowDescription() {
  shown_ = true;
  if (!description_.empty()) out_.Append(std::exchange(description_, {}));
}

// Shows what was held of the branches whose turn has come.
void Fanout::NextTurn() {
  if (HoldsRows()) return;
  while (turn_ < branches_.size() && branches_[turn_].completed &&
         branches_[turn_].ready_owed == 0) {
    if (++turn_ == branches_.size()) return;
    Branch& next = branches_[turn_];
    if (!error_) {
      if (!next.held.empty()) ShowDescription();
      out_.Append(next.held);
      wire::FreeMemory(next.held);
    } else {
      DropHeld(next);
    }
    if (next.paused && next.server != nullptr) {
      next.paused = false;
      host_.SetReading(*next.server, true);
    }
  }
}

// The client does not see the start of the row that is being held, so it must not see its rest.
void Fanout::DropHeld(Branch& branch) {
  wire::FreeMemory(branch.held);
  branch.within_row = false;
}

// The first error is the client's; the others stop what they do.
void Fanout::Fail(SqlError error) {
  if (error_) return;
  error_ = std::move(error);
  copying_ = false;
  StopOthers();
}

void Fanout::StopOthers() {
  for (Branch& branch : branches_) {
    if (branch.server == nullptr || branch.failed || !branch.started || branch.ready_owed == 0)
      continue;
    if (branch.paused) {
      branch.paused = false;
      host_.SetReading(*branch.server, true);
    }
    if (&branch != &branches_[turn_]) DropHeld(branch);
    if (options_.copy_in && !copy_ended_) {
      // One that has not answered yet is told when it does (OnCopyInResponse).
      if (!branch.copy_ready) continue;
      wire::MessageBuilder(branch.server->out.Own(), wire::kCopyFail)
          .String("another shard failed");
    } else {
      Cancel(branch);
    }
  }
}

void Fanout::Cancel() {
  for (Branch& branch : branches_) {
    if (branch.server != nullptr && branch.ready_owed > 0) Cancel(branch);
  }
}

// Not its BEGIN: the statement behind it would take effect on its own.
void Fanout::Cancel(Branch& branch) {
  if (branch.joining) {
    branch.cancelled = true;
  } else {
    host_.CancelServer(*branch.server);
  }
}

void Fanout::OnClosed(const Server& server, const SqlError& reason) {
  Branch* const branch = Find(server);
  if (branch == nullptr) return;
  branch->server = nullptr;
  branch->failed = true;
  branch->ready_owed = 0;
  Fail(reason);
  EndIfAnswered();
}

void Fanout::EndIfAnswered() {
  if (done_) return;
  for (const Branch& branch : branches_) {
    const bool waits = options_.move && !put_started_;  // for the others' rows
    if (branch.ready_owed > 0 || (!error_ && !branch.started && !waits)) return;
    // It would hit the next statement.
    if (branch.server != nullptr && branch.server->cancels_in_flight > 0) return;
  }
  if (!error_ && options_.move && !put_started_) {
    PutRows();
    if (!error_) return;
  }
  if (!error_ && put_count_ != taken_count_) {
    Fail(MakeError(sqlstate::kInternalError, "a shard stored fewer rows than were moved to it"));
  }
  if (!error_ && options_.route == Route::kEvery) CheckEqualTags();
  if (!error_) ShowRowsInOrder();
  if (!error_ && options_.move) ShowHeldRows();
  if (error_) TellWhatWasDoneAlone();
  done_ = true;
}

// A statement_timeout has hit the BEGIN: PostgreSQL has run the statement behind it all the same.
void Fanout::TellWhatWasDoneAlone() {
  for (const Branch& branch : branches_) {
    if (!branch.alone || !branch.completed || branch.tag.starts_with("SELECT")) continue;
    error_ = {.sqlstate = std::string(sqlstate::kTransactionResolutionUnknown),
              .message = "the statement has taken effect on shard \"" +
                         map_->shard(branch.shard).name + "\" alone",
              .detail = "The transaction could not be opened there: " + error_->message + ".",
              .hint = "Look at what it has written there, and undo it."};
    return;
  }
}

// A table that is the same on every shard must have changed in the same way on every shard.
void Fanout::CheckEqualTags() {
  for (const Branch& branch : branches_) {
    if (branch.tag == branches_[0].tag) continue;
    Fail(MakeError(
        sqlstate::kInternalError,
        "the shards disagree about the result of a write that must be the same on all: \"" +
            branches_[0].tag + "\" and \"" + branch.tag + "\"",
        "Compare the table on the shards with SET meridian.shard."));
    return;
  }
}

void Fanout::ShowRowsInOrder() {
  ShowDescription();
  if (options_.row_order.empty()) return;
  std::vector<size_t> next(branches_.size(), 0);
  for (const uint32_t index : options_.row_order) {
    const Branch& branch = branches_[index];
    const size_t row = next[index]++;
    if (row >= branch.row_ends.size()) {
      Fail(MakeError(sqlstate::kInternalError, "a shard returned fewer rows than were inserted"));
      return;
    }
    const size_t begin = row == 0 ? 0 : branch.row_ends[row - 1];
    out_.Append(std::string_view(branch.held).substr(begin, branch.row_ends[row] - begin));
  }
}

void Fanout::ShowHeldRows() {
  out_.Append(description_);
  for (const Branch& branch : branches_) out_.Append(branch.held);
}

std::string Fanout::Tag() const {
  // The shard to which rows move has none where it had no row before.
  const std::string& first = branches_[branches_[0].tag.empty() ? 1 : 0].tag;
  if (options_.route == Route::kEvery || !CountOf(first)) return first;
  uint64_t sum = 0;
  for (const Branch& branch : branches_) sum += CountOf(branch.tag).value_or(0);
  return first.substr(0, first.rfind(' ') + 1) + std::to_string(sum);
}

}  // namespace meridian
