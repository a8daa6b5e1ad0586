#include "proxy/admin/admin_session.h"

#include <utility>

#include "proxy/config/config.h"
#include "proxy/wire/free_memory.h"
#include "proxy/wire/message_writer.h"
#include "sharding/admin/show_map.h"
#include "sharding/byte_reader.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

constexpr std::string_view kVersion = "Meridian " MERIDIAN_VERSION;

using Kind = SessionStatement::Kind;

bool EndsTransaction(const Command& command) {
  const auto* statement = std::get_if<SessionStatement>(&command);
  return statement != nullptr &&
         (statement->kind == Kind::kCommit || statement->kind == Kind::kRollback);
}

// Whether a ROLLBACK around it would promise what it does not keep.
bool ChangesSomething(const Command& command) {
  const CommandRoom room = RoomOf(command);
  return (room == CommandRoom::kCatalog || room == CommandRoom::kProxy) &&
         !std::holds_alternative<Show>(command) && !std::holds_alternative<ExplainRoute>(command);
}

}  // namespace

AdminSession::AdminSession(AdminHost& host, uint64_t client_id, std::string user)
    : host_(host),
      client_id_(client_id),
      user_(std::move(user)),
      facts_{.version = std::string(kVersion),
             .user = user_,
             .database = std::string(kAdminDatabase),
             .parameters = InitialParameters()} {}

// ---------------------------------------------------------------------------------------------
// Input

void AdminSession::OnClientBytes(std::string_view bytes) {
  if (closing_) return;
  host_.MarkDirty(*this);
  inbox_.append(bytes);
  if (waiting_ && inbox_.size() > kMaxInboxBytes) {
    return Fatal(sqlstate::kProgramLimitExceeded, "too many messages while a command runs");
  }
  Process();
}

void AdminSession::Process() {
  while (!closing_ && !waiting_ && ProcessOne()) {
  }
  if (inbox_used_ == inbox_.size()) {
    wire::FreeMemory(inbox_);  // an idle client keeps none
  } else {
    inbox_.erase(0, inbox_used_);
  }
  inbox_used_ = 0;
}

// Handles the next message; false where it is not whole yet.
bool AdminSession::ProcessOne() {
  const std::string_view input = std::string_view(inbox_).substr(inbox_used_);
  if (input.size() < wire::kHeaderBytes) return false;
  const char type = input[0];
  const uint32_t length = LoadU32(input.data() + 1);
  switch (wire::CheckClientMessage(type, length)) {
    case wire::LengthCheck::kOk:
      break;
    case wire::LengthCheck::kUnknownType:
      Fatal(sqlstate::kProtocolViolation,
            "invalid frontend message type " + std::to_string(static_cast<unsigned char>(type)));
      return false;
    case wire::LengthCheck::kBadLength:
      Fatal(sqlstate::kProtocolViolation, "invalid message length");
      return false;
  }
  if (length > kMaxMessageBytes) {
    Fatal(sqlstate::kProgramLimitExceeded, "message is too long for the admin database");
    return false;
  }
  const size_t size = size_t{length} + 1;
  if (input.size() < size) return false;
  inbox_used_ += size;
  Handle(type, input.substr(wire::kHeaderBytes, size - wire::kHeaderBytes));
  return true;
}

void AdminSession::Handle(char type, std::string_view body) {
  switch (type) {
    case wire::kTerminate:
      closing_ = true;
      host_.CloseClient(*this);
      return;
    case wire::kSync:
      skip_until_sync_ = false;
      Ready();
      return;
    case wire::kFlush:  // everything is sent at once
    case wire::kCopyData:
    case wire::kCopyDone:
    case wire::kCopyFail:  // late, as PostgreSQL ignores them
      return;
    default:
      break;
  }
  if (skip_until_sync_) return;
  if (type == wire::kQuery) return HandleQuery(body);
  if (type == wire::kFunctionCall) {
    Fail(Refused("the admin database has no functions to call", "Send commands as text."));
    return Ready();
  }
  if (type == wire::kPasswordMessage) {
    return Fatal(sqlstate::kProtocolViolation, "unexpected message after authentication");
  }
  if (const absl::Status status = HandleExtended(type, body); !status.ok()) {
    Fail(status);
    skip_until_sync_ = true;
  }
}

void AdminSession::Fatal(std::string_view sqlstate, std::string message) {
  wire::AppendError(
      out.Own(), wire::Severity::kFatal,
      {.sqlstate = std::string(sqlstate), .message = std::move(message), .detail = {}, .hint = {}});
  closing_ = true;
  host_.CloseClient(*this);
}

void AdminSession::Fail(const absl::Status& status) {
  wire::AppendError(out.Own(), wire::Severity::kError, ToSqlError(status));
  if (status_ == wire::kInTransaction) status_ = wire::kFailedTransaction;
}

void AdminSession::Warn(const AdminNotice& notice) {
  const bool warning = notice.severity == "WARNING";
  wire::AppendError(out.Own(), warning ? wire::Severity::kWarning : wire::Severity::kNotice,
                    {.sqlstate = notice.sqlstate,
                     .message = notice.message,
                     .detail = notice.detail,
                     .hint = notice.hint});
}

void AdminSession::Ready() {
  if (status_ == wire::kIdle) portals_.clear();  // they live as long as their transaction
  wire::AppendReadyForQuery(out.Own(), status_);
}

// ---------------------------------------------------------------------------------------------
// The simple protocol

void AdminSession::HandleQuery(std::string_view body) {
  prepared_.erase("");
  portals_.erase("");
  ByteReader reader(body);
  const std::string_view text = reader.String();
  if (!reader.AtEnd()) {
    Fail(SqlStatus(sqlstate::kProtocolViolation, "invalid message format"));
    return Ready();
  }
  auto statements = ParseAdmin(text);
  if (!statements.ok()) {
    Fail(statements.status());
    return Ready();
  }
  if (statements->empty()) {
    wire::AppendEmptyMessage(out.Own(), wire::kEmptyQueryResponse);
    return Ready();
  }
  script_ = Script{*std::move(statements), 0};
  ContinueScript();
}

void AdminSession::ContinueScript() {
  while (!waiting_ && script_->next < script_->statements.size()) {
    Run(script_->statements[script_->next++]);
  }
  if (waiting_) return;
  script_.reset();
  Ready();
}

// ---------------------------------------------------------------------------------------------
// One statement

void AdminSession::Run(const AdminStatement& statement) {
  if (status_ == wire::kFailedTransaction && !EndsTransaction(statement.command)) {
    return Answer(SqlStatus(sqlstate::kInFailedTransaction,
                            "current transaction is aborted, commands ignored until end of "
                            "transaction block",
                            "ROLLBACK ends it."));
  }
  switch (RoomOf(statement.command)) {
    case CommandRoom::kMap:
      return Answer(AnswerFromMap(statement.command, host_.AdminMap(), kVersion));
    case CommandRoom::kSession:
      return Answer(RunForSession(statement));
    default:
      break;
  }
  if (status_ == wire::kInTransaction && ChangesSomething(statement.command)) {
    changed_in_transaction_ = true;
  }
  waiting_ = true;
  calling_ = true;
  host_.Execute(*this, statement);
  calling_ = false;
}

absl::StatusOr<AdminResult> AdminSession::RunForSession(const AdminStatement& statement) {
  const auto& command = std::get<SessionStatement>(statement.command);
  auto result = AnswerSession(command, facts_);
  if (!result.ok()) return result;
  absl::Status status;
  switch (command.kind) {
    case Kind::kBegin:
    case Kind::kCommit:
    case Kind::kRollback:
      NoteTransaction(command, result->tag);
      break;
    case Kind::kSet:
    case Kind::kReset:
      status = ChangeParameter(command, facts_.parameters, out.Own());
      break;
    case Kind::kDiscard:
    case Kind::kDeallocate:
      status = Deallocate(statement);
      break;
    default:
      break;
  }
  if (!status.ok()) return status;
  return result;
}

void AdminSession::NoteTransaction(const SessionStatement& statement, std::string& tag) {
  const auto warn = [this](std::string sqlstate, std::string message) {
    Warn({"WARNING", std::move(sqlstate), std::move(message), {}, {}});
  };
  if (statement.kind == Kind::kBegin) {
    if (status_ != wire::kIdle) warn("25001", "there is already a transaction in progress");
    status_ = wire::kInTransaction;
    return;
  }
  if (status_ == wire::kIdle) warn("25P01", "there is no transaction in progress");
  const bool rolled_back = statement.kind == Kind::kRollback || status_ == wire::kFailedTransaction;
  if (rolled_back) tag = "ROLLBACK";
  if (rolled_back && changed_in_transaction_) {
    warn("01000", "admin commands take effect at once: ROLLBACK does not undo them");
  }
  changed_in_transaction_ = false;
  status_ = wire::kIdle;
}

void AdminSession::OnReply(CommandReply reply) {
  if (closing_ || !waiting_) return;
  host_.MarkDirty(*this);
  waiting_ = false;
  for (const AdminNotice& notice : reply.notices) Warn(notice);
  Answer(std::move(reply.result));
  if (calling_) return;  // Run's caller goes on
  if (script_) ContinueScript();
  Process();
}

void AdminSession::Answer(absl::StatusOr<AdminResult> result) {
  ++statements_done_;
  if (!result.ok()) {
    Fail(result.status());
    if (script_) {
      script_->next = script_->statements.size();  // the rest of the text is not run
    } else {
      skip_until_sync_ = true;
    }
    return;
  }
  if (!script_) {
    Portal& portal = portals_[executing_];
    portal.result = *std::move(result);
    return SendRows(portal);
  }
  const AdminTable& table = result->table;
  if (!table.columns.empty()) AppendDescription(out.Own(), table.columns, {});
  for (const AdminRow& row : table.rows) AppendDataRow(out.Own(), table.columns, row, {});
  wire::AppendCommandComplete(out.Own(), result->tag);
}

std::vector<AdminColumn> AdminSession::Columns(const Command& command) {
  if (std::holds_alternative<Help>(command)) return HelpColumns();
  if (const auto* show = std::get_if<Show>(&command)) {
    if (auto columns = MapColumns(show->subject)) return *std::move(columns);
  }
  if (const auto* statement = std::get_if<SessionStatement>(&command)) {
    return SessionColumns(*statement);
  }
  return host_.ColumnsOf(command);
}

}  // namespace meridian
