// PREPARE and EXECUTE by SQL. On servers the statement has a name of the proxy's, so that sessions
// do not collide; the client's name is spliced out of the text and the proxy's in.

#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/message_writer.h"
#include "router/lex/literal.h"
#include "sharding/ascii.h"

namespace meridian {
namespace {

// PREPARE <this> ... is how the text is kept; the name has no meaning.
constexpr std::string_view kPlaceholder = "PREPARE meridian";

}  // namespace

std::string Session::ServerPrepareSql(const PreparedText& prepared) {
  return "PREPARE " + prepared.ServerName() + prepared.text.substr(kPlaceholder.size());
}

// The declared types of its parameters.
const std::vector<Oid>& Session::TypesOf(const PreparedText& prepared) {
  return prepared.kind == PreparedText::Kind::kSql
             ? prepared.Current(host_.router()).parts[0].statement->prepare_types
             : prepared.type_oids();
}

// Where `name` stands, relative to the statement's own text.
TextRange Session::NameIn(const Unit& unit) {
  const auto offset = static_cast<uint32_t>(unit.text.data() - unit.values.text.data());
  const TextRange range = unit.statement.name_range;
  return {range.begin - offset, range.end - offset};
}

Session::Progress Session::RunSqlPrepared(const Unit& unit) {
  return unit.statement.verb == Verb::kPrepare ? RunSqlPrepare(unit) : RunSqlExecute(unit);
}

Session::Progress Session::RunSqlPrepare(const Unit& unit) {
  const Statement& statement = unit.statement;
  if (prepared_.contains(statement.name)) {
    FailUnit(SqlStatus(sqlstate::kDuplicatePreparedStatement,
                       "prepared statement \"" + statement.name + "\" already exists"),
             unit.final);
    return Progress::kDone;
  }
  const std::string text =
      std::string(kPlaceholder) + std::string(unit.text.substr(NameIn(unit).end));
  const Ref<const PreparedText> prepared = host_.prepared_texts().Intern(
      PreparedText::Kind::kSql, text, {}, Context(), host_.router().schema().version());
  auto hints = Hints();
  ShardIndex shard = AtHand();
  if (hints.ok() && statement.body) {
    const ShardSet candidates = host_.router().Candidates(*statement.body, *hints);
    if (!candidates.empty() && !candidates.Contains(shard)) shard = candidates.first();
  }
  auto participant = Enlist(shard);
  if (participant.ok() && *participant == nullptr) return Progress::kBlocked;
  if (!participant.ok()) {
    FailUnit(participant.status(), unit.final);
    return Progress::kDone;
  }
  Server& server = *(*participant)->server;
  if (server.prepared.Touch(prepared->id)) {
    prepared_[statement.name] = prepared;
    FinishUnit("PREPARE", unit.final);
    return Progress::kDone;
  }
  server.SendQuery(ServerPrepareSql(*prepared));
  active_ = &server;
  Pending& pending =
      pending_.Add(wire::kQuery, unit.final ? Pending::Show::kForward : Pending::Show::kHideReady);
  auto effect = std::make_unique<StatementEffect>();
  effect->statement = Ref<const Statement>(&statement);
  effect->prepared = prepared;
  pending.AddEffect(std::move(effect));
  return Progress::kDone;
}

Session::Progress Session::RunSqlExecute(const Unit& unit) {
  const Ref<const PreparedText>* const found = FindPrepared(unit.statement.name);
  if (found == nullptr) {
    FailUnit(NoSuchStatement(unit.statement.name), unit.final);
    return Progress::kDone;
  }
  const Ref<const PreparedText> prepared = *found;
  auto decision = DecideExecute(*prepared, unit);
  absl::Status status = decision.status();
  if (status.ok() && decision->route != Route::kOne && decision->route != Route::kAny) {
    status = Refused("EXECUTE of a statement that runs on several shards is not supported",
                     "Send the statement itself, or prepare it by the protocol.");
  }
  if (!status.ok()) {
    FailUnit(status, unit.final);
    return Progress::kDone;
  }
  const Statement& body = *StatementOf(*prepared);
  if (body.value_parameter) {
    FailUnit(Refused("EXECUTE of set_config with a parameter is not supported",
                     "Use SET, or prepare it by the protocol."),
             unit.final);
    return Progress::kDone;
  }
  if (EnterMoving(*decision, body.writes, &status) == Progress::kBlocked) {
    return Progress::kBlocked;
  }
  if (!status.ok()) {
    FailUnit(status, unit.final);
    return Progress::kDone;
  }
  auto participant =
      Enlist(decision->route == Route::kOne ? decision->shards.first() : PreferredShard(body));
  if (participant.ok() && *participant == nullptr) return Progress::kBlocked;
  status = participant.status();
  if (status.ok()) status = CheckRunnable(body, **participant);
  if (!status.ok()) {
    FailUnit(status, unit.final);
    return Progress::kDone;
  }
  SendSqlExecute(unit, **participant, *prepared, body);
  return Progress::kDone;
}

void Session::SendSqlExecute(const Unit& unit, Participant& participant,
                             const PreparedText& prepared, const Statement& body) {
  Server& server = *participant.server;
  if (!server.prepared.Touch(prepared.id)) InjectPrepare(participant, prepared);
  const TextRange name = NameIn(unit);
  std::string text(unit.text.substr(0, name.begin));
  text.append(prepared.ServerName()).append(unit.text.substr(name.end));
  server.SendQuery(text);
  ++server.queries;
  NoteWrite(participant, body);
  schema_changed_ |= body.changes_schema;
  active_ = &server;
  pending_.Add(wire::kQuery, unit.final ? Pending::Show::kForward : Pending::Show::kHideReady);
}

// Puts the statement on the server ahead of the EXECUTE that needs it.
void Session::InjectPrepare(Participant& participant, const PreparedText& prepared) {
  Server& server = *participant.server;
  host_.metrics().prepared_injected.Add();
  if (prepared.kind == PreparedText::Kind::kProtocol) {
    SendParse(participant, prepared, Pending::Show::kSwallow);
    pending_.back().purpose = Pending::Purpose::kPrepare;
    wire::AppendSync(server.out.Own());
  } else {
    server.SendQuery(ServerPrepareSql(prepared));
    server.prepared.Add(prepared.id);
  }
  pending_
      .Add(prepared.kind == PreparedText::Kind::kProtocol ? wire::kSync : wire::kQuery,
           Pending::Show::kSwallow, Pending::Purpose::kPrepare)
      .prepared_id = prepared.id;
}

// Where EXECUTE goes: as the prepared statement would with the arguments for its parameters.
absl::StatusOr<Decision> Session::DecideExecute(const PreparedText& prepared, const Unit& unit) {
  const Statement* const statement = StatementOf(prepared);
  if (statement == nullptr) {
    return Refused("this prepared statement cannot be routed", "Send the statement itself.");
  }
  const absl::Status encoding = CheckEncoding(prepared.text, prepared.context.encoding);
  if (!encoding.ok()) return encoding;
  const std::vector<Oid>& types = TypesOf(prepared);
  std::vector<std::string> decoded(unit.statement.execute_arguments.size());
  std::vector<Parameter> parameters;
  for (size_t i = 0; i < decoded.size(); ++i) {
    const ExecuteArgument& argument = unit.statement.execute_arguments[i];
    if (argument.kind == ExecuteArgument::Kind::kOther) {
      return Refused("the arguments of EXECUTE must be constants",
                     "Send the statement itself, or use the protocol's parameters.");
    }
    if (argument.kind == ExecuteArgument::Kind::kLiteral) {
      std::string scratch;
      const auto value = DecodeLiteral(unit.values.text, argument.literal,
                                       Context().standard_conforming_strings, &scratch);
      if (!value) {
        return Refused("an argument of EXECUTE has a form that only a server can read",
                       "Write it as a plain string or number.");
      }
      // Escapes are bytes of the database's encoding, not of the client's.
      if (!IsUtf8(Context().encoding) && !IsAscii(*value)) {
        return Refused("an argument of EXECUTE has characters beyond ASCII",
                       "SET client_encoding TO 'UTF8', or use the protocol's parameters.");
      }
      decoded[i] = (argument.negative ? "-" : "") + std::string(*value);
    }
    parameters.push_back({.type = i < types.size() ? types[i] : 0,
                          .binary = false,
                          .value = argument.kind == ExecuteArgument::Kind::kNull
                                       ? std::nullopt
                                       : std::optional<std::string_view>(decoded[i])});
  }
  return DecidePrepared(prepared, *statement, parameters);
}

}  // namespace meridian
