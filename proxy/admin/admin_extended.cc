// The extended protocol of the admin database.
#include "proxy/admin/admin_session.h"
#include "proxy/wire/message_writer.h"
#include "sharding/admin/lexer.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

absl::Status NoStatement(std::string_view name) {
  return SqlStatus(sqlstate::kInvalidStatementName,
                   "prepared statement \"" + std::string(name) + "\" does not exist");
}

absl::Status NoPortal(std::string_view name) {
  return SqlStatus(sqlstate::kInvalidCursorName,
                   "portal \"" + std::string(name) + "\" does not exist");
}

absl::Status TooMany(std::string_view what) {
  return SqlStatus(sqlstate::kProgramLimitExceeded,
                   "too many " + std::string(what) + " in this session",
                   "Close those that are not needed any more.");
}

}  // namespace

absl::Status AdminSession::HandleExtended(char type, std::string_view body) {
  switch (type) {
    case wire::kParse:
      return HandleParse(body);
    case wire::kBind:
      return HandleBind(body);
    case wire::kDescribe:
      return HandleDescribe(body);
    case wire::kExecute:
      return HandleExecute(body);
    default:
      return HandleClose(body);
  }
}

absl::Status AdminSession::HandleParse(std::string_view body) {
  const auto view = wire::ParseParse(body);
  if (!view.ok()) return view.status();
  if (!view->name.empty() && prepared_.contains(view->name)) {
    return SqlStatus(sqlstate::kDuplicatePreparedStatement,
                     "prepared statement \"" + std::string(view->name) + "\" already exists");
  }
  if (prepared_.size() >= kMaxPrepared) return TooMany("prepared statements");
  auto statements = ParseAdmin(view->text);
  if (!statements.ok()) return statements.status();
  if (statements->size() > 1) {
    return SqlStatus(sqlstate::kSyntaxError,
                     "cannot insert multiple commands into a prepared statement",
                     "Prepare each command by itself, or send them as a simple query.");
  }
  std::optional<AdminStatement>& prepared = prepared_[std::string(view->name)];
  prepared.reset();
  if (!statements->empty()) prepared = std::move(statements->front());
  wire::AppendEmptyMessage(out.Own(), wire::kParseComplete);
  return absl::OkStatus();
}

absl::Status AdminSession::HandleBind(std::string_view body) {
  if (auto status = wire::ParseBind(body, &bind_); !status.ok()) return status;
  const auto found = prepared_.find(bind_.statement);
  if (found == prepared_.end()) return NoStatement(bind_.statement);
  if (!bind_.values.empty()) {
    return SqlStatus(sqlstate::kProtocolViolation,
                     "bind message supplies " + std::to_string(bind_.values.size()) +
                         " parameters, but admin commands have none",
                     "Write the values into the command.");
  }
  if (!bind_.portal.empty() && portals_.contains(bind_.portal)) {
    return SqlStatus("42P03", "cursor \"" + std::string(bind_.portal) + "\" already exists");
  }
  if (portals_.size() >= kMaxPrepared) return TooMany("portals");
  const auto& statement = found->second;
  const size_t columns = statement ? Columns(statement->command).size() : 0;
  auto formats = ResultFormats::Read(bind_.result_formats, columns);
  if (!formats.ok()) return formats.status();
  portals_[std::string(bind_.portal)] =
      Portal{.statement = statement, .formats = *std::move(formats), .result = {}};
  wire::AppendEmptyMessage(out.Own(), wire::kBindComplete);
  return absl::OkStatus();
}

absl::Status AdminSession::HandleDescribe(std::string_view body) {
  const auto view = wire::ParseDescribe(body);
  if (!view.ok()) return view.status();
  const std::optional<AdminStatement>* statement = nullptr;
  ResultFormats formats;
  if (view->kind == 'S') {
    const auto found = prepared_.find(view->name);
    if (found == prepared_.end()) return NoStatement(view->name);
    statement = &found->second;
    wire::MessageBuilder(out.Own(), wire::kParameterDescription).U16(0);
  } else {
    const auto found = portals_.find(view->name);
    if (found == portals_.end()) return NoPortal(view->name);
    statement = &found->second.statement;
    formats = found->second.formats;
  }
  const auto columns = *statement ? Columns((*statement)->command) : std::vector<AdminColumn>{};
  AppendDescription(out.Own(), columns, formats);
  return absl::OkStatus();
}

absl::Status AdminSession::HandleExecute(std::string_view body) {
  const auto view = wire::ParseExecute(body);
  if (!view.ok()) return view.status();
  const auto found = portals_.find(view->portal);
  if (found == portals_.end()) return NoPortal(view->portal);
  Portal& portal = found->second;
  if (!portal.statement) {
    wire::AppendEmptyMessage(out.Own(), wire::kEmptyQueryResponse);
    return absl::OkStatus();
  }
  max_rows_ = view->max_rows;
  if (portal.result) {
    if (portal.result->table.columns.empty()) {
      return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                       "portal \"" + std::string(view->portal) + "\" cannot be run", "Bind again.");
    }
    SendRows(portal);
    return absl::OkStatus();
  }
  executing_ = std::string(view->portal);
  // A copy: DISCARD ALL drops the portal that it runs in.
  const AdminStatement statement = *portal.statement;
  Run(statement);
  return absl::OkStatus();
}

// As PostgreSQL does, a portal is suspended when the limit is reached, whether or not rows are
// left.
void AdminSession::SendRows(Portal& portal) {
  const AdminTable& table = portal.result->table;
  uint32_t sent = 0;
  while (portal.next_row < table.rows.size() && (max_rows_ == 0 || sent < max_rows_)) {
    AppendDataRow(out.Own(), table.columns, table.rows[portal.next_row++], portal.formats);
    ++sent;
  }
  if (max_rows_ > 0 && sent == max_rows_) {
    wire::AppendEmptyMessage(out.Own(), wire::kPortalSuspended);
  } else {
    wire::AppendCommandComplete(out.Own(), portal.result->tag);
  }
}

absl::Status AdminSession::HandleClose(std::string_view body) {
  const auto view = wire::ParseDescribe(body);
  if (!view.ok()) return view.status();
  if (view->kind == 'S') {
    prepared_.erase(view->name);
  } else {
    portals_.erase(view->name);
  }
  wire::AppendEmptyMessage(out.Own(), wire::kCloseComplete);
  return absl::OkStatus();
}

absl::Status AdminSession::Deallocate(const AdminStatement& statement) {
  if (std::get<SessionStatement>(statement.command).kind == SessionStatement::Kind::kDiscard) {
    prepared_.clear();
    ResetParameters(facts_.parameters, out.Own());
    return absl::OkStatus();
  }
  const auto tokens = LexAdmin(statement.text);
  if (!tokens.ok()) return tokens.status();
  // DEALLOCATE [PREPARE] {name | ALL}, then kEnd.
  const AdminToken& name = (*tokens)[tokens->size() - 2];
  if (name.kind == AdminToken::Kind::kName && name.value == "all") {
    prepared_.clear();
  } else if (prepared_.erase(name.value) == 0) {
    return NoStatement(name.value);
  }
  return absl::OkStatus();
}

}  // namespace meridian
