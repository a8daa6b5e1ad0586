#include "proxy/admin/admin_session.h"

#include <charconv>
#include <cstring>

#include "proxy/wire/byte_reader.h"
#include "proxy/wire/message_writer.h"
#include "sharding/admin/session_statement.h"
#include "sharding/admin/show_map.h"

namespace meridian {
namespace {

absl::Status Violation(std::string message) {
  return SqlStatus(sqlstate::kProtocolViolation, std::move(message));
}

// A value in the binary format of its type (PostgreSQL: the types' send functions).
std::string ToBinary(uint32_t type, const std::string& text) {
  std::string bytes;
  if (type == type_oid::kInt8 || type == type_oid::kInt4) {
    int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    if (type == type_oid::kInt8)
      wire::AppendU32(bytes, static_cast<uint32_t>(static_cast<uint64_t>(value) >> 32));
    wire::AppendU32(bytes, static_cast<uint32_t>(value));
  } else if (type == type_oid::kBool) {
    bytes.push_back(text == "t" ? '\1' : '\0');
  } else if (type == type_oid::kFloat8) {
    const double value = std::strtod(text.c_str(), nullptr);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    wire::AppendU32(bytes, static_cast<uint32_t>(bits >> 32));
    wire::AppendU32(bytes, static_cast<uint32_t>(bits));
  } else {
    bytes = text;
  }
  return bytes;
}

bool IsBinary(const std::vector<uint16_t>& formats, size_t column) {
  if (formats.empty()) return false;
  return (formats.size() == 1 ? formats[0] : column < formats.size() ? formats[column] : 0) == 1;
}

uint16_t TypeSize(uint32_t type) {
  switch (type) {
    case type_oid::kBool:
      return 1;
    case type_oid::kInt4:
      return 4;
    case type_oid::kInt8:
    case type_oid::kFloat8:
    case type_oid::kTimestamptz:
      return 8;
    default:
      return 0xffff;
  }
}

}  // namespace

AdminSession::AdminSession(AdminHost& host, uint64_t client_id, std::string user)
    : host_(host), client_id_(client_id), user_(std::move(user)) {
  facts_ = {.version = "Meridian " MERIDIAN_VERSION,
            .user = user_,
            .database = "meridian",
            .parameters = {}};
  for (const auto& [name, value] : AdminParameters()) facts_.parameters[name] = value;
}

const std::vector<std::pair<std::string, std::string>>& AdminParameters() {
  static const auto* const kParameters = new std::vector<std::pair<std::string, std::string>>{
      {"server_version", "15.0 (Meridian " MERIDIAN_VERSION ")"},
      {"server_encoding", "UTF8"},
      {"client_encoding", "UTF8"},
      {"application_name", ""},
      {"DateStyle", "ISO, MDY"},
      {"IntervalStyle", "postgres"},
      {"TimeZone", "UTC"},
      {"integer_datetimes", "on"},
      {"standard_conforming_strings", "on"},
      {"is_superuser", "on"}};
  return *kParameters;
}

void AdminSession::OnClientBytes(std::string_view bytes) {
  host_.MarkDirty(*this);
  if (closing_) return;
  inbox_.append(bytes);
  Process();
}

void AdminSession::Process() {
  // Admin commands are short: no message needs to be larger.
  constexpr uint32_t kMaxMessageBytes = 1 << 20;
  while (!closing_ && !waiting_ && inbox_.size() >= wire::kHeaderBytes) {
    const char type = inbox_[0];
    const uint32_t length = wire::LoadU32(inbox_.data() + 1);
    if (wire::CheckClientMessage(type, length) != wire::LengthCheck::kOk ||
        length > kMaxMessageBytes) {
      Fatal(Violation("invalid frontend message"));
      return;
    }
    if (inbox_.size() < size_t{length} + 1) return;
    const std::string body = inbox_.substr(wire::kHeaderBytes, length - 4);
    inbox_.erase(0, size_t{length} + 1);
    Handle(type, body);
  }
}

void AdminSession::Handle(char type, std::string_view body) {
  if (type == wire::kTerminate) {
    closing_ = true;
    host_.CloseClient(*this);
    return;
  }
  if (type == wire::kSync) {
    skip_until_sync_ = false;
    Ready();
    return;
  }
  if (skip_until_sync_) return;
  switch (type) {
    case wire::kQuery:
      HandleQuery(body);
      break;
    case wire::kParse:
      HandleParse(body);
      break;
    case wire::kBind:
      HandleBind(body);
      break;
    case wire::kDescribe:
      HandleDescribe(body);
      break;
    case wire::kExecute:
      HandleExecute(body);
      break;
    case wire::kClose:
      HandleClose(body);
      break;
    case wire::kFlush:
    case wire::kCopyData:
    case wire::kCopyDone:
    case wire::kCopyFail:
      break;
    default:
      Fatal(Violation("unexpected message"));
  }
}

void AdminSession::Fatal(const absl::Status& status) {
  wire::AppendError(out.Own(), wire::Severity::kFatal, ToSqlError(status));
  closing_ = true;
  host_.CloseClient(*this);
}

void AdminSession::Fail(const absl::Status& status) {
  wire::AppendError(out.Own(), wire::Severity::kError, ToSqlError(status));
  if (status_ == 'T') status_ = 'E';
  if (!simple_) skip_until_sync_ = true;
}

void AdminSession::Ready() { wire::AppendReadyForQuery(out.Own(), status_); }

void AdminSession::HandleQuery(std::string_view body) {
  if (body.empty() || body.back() != '\0') {
    Fatal(Violation("invalid message format"));
    return;
  }
  simple_ = true;
  formats_.clear();
  auto statements = ParseAdmin(body.substr(0, body.size() - 1));
  if (!statements.ok()) {
    Fail(statements.status());
    Ready();
    return;
  }
  if (statements->empty()) {
    wire::AppendEmptyMessage(out.Own(), wire::kEmptyQueryResponse);
    Ready();
    return;
  }
  queue_ = std::move(*statements);
  next_ = 0;
  RunNext();
}

void AdminSession::RunNext() {
  while (!waiting_ && next_ < queue_.size()) {
    const AdminStatement statement = queue_[next_++];
    Run(statement);
  }
  if (!waiting_ && simple_) {
    queue_.clear();
    next_ = 0;
    Ready();
  }
}

void AdminSession::Run(const AdminStatement& statement) {
  waiting_ = true;
  switch (RoomOf(statement.command)) {
    case CommandRoom::kMap:
      Answer(AnswerFromMap(statement.command, host_.AdminMap(), MERIDIAN_VERSION));
      break;
    case CommandRoom::kSession:
      NoteTransaction(statement.command);
      Answer(AnswerSession(std::get<SessionStatement>(statement.command), facts_));
      break;
    default:
      host_.Execute(*this, statement);
  }
}

void AdminSession::NoteTransaction(const Command& command) {
  switch (std::get<SessionStatement>(command).kind) {
    case SessionStatement::Kind::kBegin:
      status_ = 'T';
      break;
    case SessionStatement::Kind::kCommit:
    case SessionStatement::Kind::kRollback:
      status_ = 'I';
      break;
    default:
      break;
  }
}

void AdminSession::OnReply(CommandReply reply) {
  host_.MarkDirty(*this);
  for (const AdminNotice& notice : reply.notices) {
    wire::AppendError(
        out.Own(),
        notice.severity == "WARNING" ? wire::Severity::kWarning : wire::Severity::kNotice,
        {.sqlstate = notice.sqlstate,
         .message = notice.message,
         .detail = notice.detail,
         .hint = notice.hint});
  }
  const bool was_waiting = waiting_;
  Answer(reply.result);
  if (!was_waiting) return;
  if (simple_) RunNext();
  Process();
}

void AdminSession::Answer(const absl::StatusOr<AdminResult>& result) {
  waiting_ = false;
  if (!result.ok()) {
    Fail(result.status());
    next_ = queue_.size();  // the rest of the text is not run
    return;
  }
  if (!result->table.columns.empty()) {
    if (simple_) AppendDescription(result->table.columns, formats_);
    AppendRows(result->table);
  }
  wire::AppendCommandComplete(out.Own(), result->tag);
}

void AdminSession::AppendDescription(const std::vector<AdminColumn>& columns,
                                     const std::vector<uint16_t>& formats) {
  wire::MessageBuilder message(out.Own(), wire::kRowDescription);
  message.U16(static_cast<uint16_t>(columns.size()));
  for (size_t i = 0; i < columns.size(); ++i) {
    message.String(columns[i].name)
        .U32(0)
        .U16(0)
        .U32(columns[i].type)
        .U16(TypeSize(columns[i].type));
    message.U32(0xffffffff).U16(IsBinary(formats, i) ? 1 : 0);
  }
}

void AdminSession::AppendRows(const AdminTable& table) {
  for (const AdminRow& row : table.rows) {
    wire::MessageBuilder message(out.Own(), wire::kDataRow);
    message.U16(static_cast<uint16_t>(row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      if (!row[i]) {
        message.U32(0xffffffff);
        continue;
      }
      const std::string value =
          IsBinary(formats_, i) ? ToBinary(table.columns[i].type, *row[i]) : *row[i];
      message.U32(static_cast<uint32_t>(value.size())).Bytes(value);
    }
  }
}

std::vector<AdminColumn> AdminSession::Columns(const Command& command) {
  if (std::holds_alternative<Help>(command)) return HelpColumns();
  if (const Show* show = std::get_if<Show>(&command)) {
    if (auto columns = MapColumns(show->subject)) return *columns;
  }
  if (const auto* statement = std::get_if<SessionStatement>(&command)) {
    return SessionColumns(*statement);
  }
  return host_.ColumnsOf(command);
}

// ---------------------------------------------------------------------------------------------
// The extended protocol

void AdminSession::HandleParse(std::string_view body) {
  simple_ = false;
  const auto view = wire::ParseParse(body);
  if (!view.ok()) return Fatal(view.status());
  auto statements = ParseAdmin(view->text);
  if (!statements.ok()) return Fail(statements.status());
  if (statements->size() > 1) {
    return Fail(SqlStatus(sqlstate::kSyntaxError,
                          "cannot insert multiple commands into a prepared statement"));
  }
  Prepared prepared;
  prepared.empty = statements->empty();
  if (!prepared.empty) prepared.statement = std::move(statements->front());
  if (!view->name.empty() && prepared_.contains(view->name)) {
    return Fail(SqlStatus(sqlstate::kDuplicatePreparedStatement,
                          "prepared statement \"" + std::string(view->name) + "\" already exists"));
  }
  prepared_[std::string(view->name)] = std::move(prepared);
  wire::AppendEmptyMessage(out.Own(), wire::kParseComplete);
}

void AdminSession::HandleBind(std::string_view body) {
  wire::BindView bind;
  if (auto status = wire::ParseBind(body, &bind); !status.ok()) return Fatal(status);
  const auto found = prepared_.find(bind.statement);
  if (found == prepared_.end()) {
    return Fail(
        SqlStatus(sqlstate::kInvalidStatementName,
                  "prepared statement \"" + std::string(bind.statement) + "\" does not exist"));
  }
  if (!bind.values.empty()) {
    return Fail(Refused("admin commands have no parameters", "Write the values into the command."));
  }
  Portal portal{.statement = found->second.statement, .empty = found->second.empty, .formats = {}};
  wire::ByteReader reader(bind.result_formats);
  for (size_t left = reader.U16(); left > 0; --left) portal.formats.push_back(reader.U16());
  portals_[std::string(bind.portal)] = std::move(portal);
  wire::AppendEmptyMessage(out.Own(), wire::kBindComplete);
}

void AdminSession::HandleDescribe(std::string_view body) {
  const auto view = wire::ParseDescribe(body);
  if (!view.ok()) return Fatal(view.status());
  std::vector<AdminColumn> columns;
  std::vector<uint16_t> formats;
  if (view->kind == 'S') {
    const auto found = prepared_.find(view->name);
    if (found == prepared_.end()) {
      return Fail(
          SqlStatus(sqlstate::kInvalidStatementName,
                    "prepared statement \"" + std::string(view->name) + "\" does not exist"));
    }
    wire::MessageBuilder(out.Own(), wire::kParameterDescription).U16(0);
    if (!found->second.empty) columns = Columns(found->second.statement.command);
  } else {
    const auto found = portals_.find(view->name);
    if (found == portals_.end()) {
      return Fail(SqlStatus(sqlstate::kInvalidCursorName,
                            "portal \"" + std::string(view->name) + "\" does not exist"));
    }
    if (!found->second.empty) columns = Columns(found->second.statement.command);
    formats = found->second.formats;
  }
  if (columns.empty()) {
    wire::AppendEmptyMessage(out.Own(), wire::kNoData);
  } else {
    AppendDescription(columns, formats);
  }
}

void AdminSession::HandleExecute(std::string_view body) {
  const auto view = wire::ParseExecute(body);
  if (!view.ok()) return Fatal(view.status());
  const auto found = portals_.find(view->portal);
  if (found == portals_.end()) {
    return Fail(SqlStatus(sqlstate::kInvalidCursorName,
                          "portal \"" + std::string(view->portal) + "\" does not exist"));
  }
  if (found->second.empty) {
    wire::AppendEmptyMessage(out.Own(), wire::kEmptyQueryResponse);
    return;
  }
  simple_ = false;
  formats_ = found->second.formats;
  const AdminStatement statement = found->second.statement;
  Run(statement);
}

void AdminSession::HandleClose(std::string_view body) {
  const auto view = wire::ParseDescribe(body);
  if (!view.ok()) return Fatal(view.status());
  if (view->kind == 'S') {
    prepared_.erase(std::string(view->name));
  } else {
    portals_.erase(std::string(view->name));
  }
  wire::AppendEmptyMessage(out.Own(), wire::kCloseComplete);
}

}  // namespace meridian
