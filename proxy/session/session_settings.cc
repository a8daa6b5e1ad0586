// What the client has set, and what its servers know of it.

#include <algorithm>
#include <iterator>

#include "proxy/session/causality_token.h"
#include "proxy/session/session.h"
#include "proxy/session/statement_kinds.h"
#include "proxy/wire/message_writer.h"
#include "sharding/ascii.h"

namespace meridian {
namespace {

constexpr std::string_view kSessionCharacteristics = "session characteristics";
// What RESET ALL leaves as it is (PostgreSQL: GUC_NO_RESET_ALL).
constexpr std::string_view kNotReset[] = {"role", "session_authorization"};
constexpr Oid kUnknownOid = 705;
constexpr std::string_view kUnknownValue = "\1unknown";  // of a server's setting: no client's

}  // namespace

const std::string* Session::FindSetting(std::string_view name) const {
  const std::string* const set = settings_->Find(name);
  return set != nullptr || !identity_.defaults ? set : identity_.defaults->Find(name);
}

// Where defaults differ (ALTER ROLE ... SET on one shard only, or since the session began), those
// that it began with are set like what the client has set: as in PostgreSQL they last as long as
// the session, and a statement means the same on all shards.
Ref<const Settings> Session::SettingsFor(const Server& server) const {
  if (server.pool.defaults().get() == identity_.defaults.get()) return settings_;
  std::vector<Settings::Entry> entries = identity_.defaults->entries();
  entries.insert(entries.end(), settings_->entries().begin(), settings_->entries().end());
  return host_.settings().Intern(std::move(entries));
}

absl::Status Session::CheckSetting(const Statement& statement) {
  if (statement.verb != Verb::kSet || statement.name != "client_encoding" ||
      statement.arguments.empty()) {
    return absl::OkStatus();
  }
  return CheckClientEncoding(statement.arguments[0]);
}

absl::Status Session::CheckEncoding(std::string_view text, ClientEncoding encoding) {
  if (encoding == Context().encoding || IsAscii(text)) return absl::OkStatus();
  return Refused(
      "client_encoding has changed since this statement came, which has characters "
      "beyond ASCII",
      "Send or prepare the statement again, in a message behind the change.");
}

absl::Status Session::CheckBatchEncoding(std::string_view bytes) const {
  if (!batch_changes_encoding_ || IsAscii(bytes)) return absl::OkStatus();
  return Refused("a pipeline changes client_encoding before characters beyond ASCII",
                 "Send Sync behind the change.");
}

bool Session::MayChangeEncoding(const Statement& statement) const {
  const bool sets_one =
      !statement.all && (statement.verb == Verb::kSet || statement.verb == Verb::kReset);
  return ChangesContext(statement) && (!sets_one || statement.name == "client_encoding");
}

absl::StatusOr<std::string> Session::SetMeridian(const Statement& statement) {
  if (statement.name == kCausalityToken) {
    const absl::Status read =
        RequireToken(statement.arguments.empty() ? "" : statement.arguments[0]);
    if (!read.ok()) return read;
    return "SET";
  }
  const MeridianSetting* const setting = FindMeridianSetting(statement.name);
  if (setting == nullptr) return UnknownMeridianSetting(statement.name);
  MeridianSettings changed = meridian_;
  const absl::Status set = setting->set(
      changed, statement.arguments.empty() ? "" : statement.arguments[0], host_.router());
  if (!set.ok()) return set;
  if (statement.local && !transaction_.open()) {
    Warn(sqlstate::kNoActiveTransaction, "SET LOCAL can only be used in transaction blocks");
    return "SET";
  }
  // What to go back to when the transaction commits.
  if (statement.local && !transaction_.local_meridian()) transaction_.local_meridian() = meridian_;
  meridian_ = std::move(changed);
  if (!statement.local) KeepBeyondTransaction(*setting, meridian_);
  return "SET";
}

// SET LOCAL of any of them has noted what the transaction's COMMIT goes back to.
void Session::KeepBeyondTransaction(const MeridianSetting& setting, const MeridianSettings& from) {
  if (!transaction_.open() || !transaction_.local_meridian()) return;
  setting.copy(*transaction_.local_meridian(), from);
}

absl::StatusOr<std::string> Session::ShowMeridian(const Statement& statement) {
  const MeridianSetting* const setting = FindMeridianSetting(statement.name);
  if (setting == nullptr) return UnknownMeridianSetting(statement.name);
  return ShowRow(statement.name, setting->show(meridian_));
}

std::string Session::ShowRow(const std::string& name, std::string value) {
  if (local_row_description_) wire::AppendTextRowDescription(out.Own(), {name});
  wire::AppendTextDataRow(out.Own(), {std::move(value)});
  return "SHOW";
}

// RESET goes back to what the client asked for at its start, not to the server's default.
Session::Progress Session::ResetSettings(const Statement& statement,
                                         absl::StatusOr<std::string>* tag) {
  *tag = "RESET";
  if (statement.name == kCausalityToken && !statement.all) return Progress::kDone;  // for good
  if (IsMeridianSetting(statement) && !statement.all) {
    const MeridianSetting* const setting = FindMeridianSetting(statement.name);
    if (setting == nullptr) {
      *tag = UnknownMeridianSetting(statement.name);
    } else {
      setting->copy(meridian_, startup_meridian_);
      KeepBeyondTransaction(*setting, startup_meridian_);
    }
    return Progress::kDone;
  }
  Ref<const Settings> target = startup_;
  if (!statement.all) {
    target = host_.settings().With(*settings_, statement.name, *startup_->Find(statement.name));
  } else {
    for (const std::string_view name : kNotReset) {
      if (const std::string* const value = settings_->Find(name)) {
        target = host_.settings().With(*target, name, *value);
      }
    }
    meridian_ = startup_meridian_;
    if (transaction_.open()) transaction_.local_meridian().reset();
  }
  if (!pending_.empty()) return Progress::kBlocked;
  const bool undoes_local = statement.all && transaction_.open() && !transaction_.local()->empty();
  if (settings_.get() == target.get() && !undoes_local) return Progress::kDone;
  // The client is told of the parameters that change, so a server must say what they are now.
  auto participant = Enlist(AtHand());
  if (!participant.ok()) {
    *tag = participant.status();
    return Progress::kDone;
  }
  if (*participant == nullptr) return Progress::kBlocked;
  settings_ = target;
  context_ = nullptr;
  if (undoes_local) UndoLocal();
  if (transaction_.open()) transaction_.settings_changed() = true;
  const size_t sent = pending_.size();
  SendPrelude(**participant);
  if (pending_.size() > sent) pending_.back().show = Pending::Show::kStatusOnly;
  return pending_.empty() ? Progress::kDone : Progress::kBlocked;
}

// set_config(name, $1, local) as the SET or RESET that it is with this value.
absl::StatusOr<Ref<const Statement>> Session::BindSetting(const PreparedText& prepared,
                                                          const Statement& statement,
                                                          const wire::BindView& bind) {
  const size_t index = *statement.value_parameter;
  const Oid type = index < prepared.type_oids().size() ? prepared.type_oids()[index] : 0;
  // Of these the binary form is the text.
  const bool text = type == 0 || type == kUnknownOid || KeyTypeByOid(type) == KeyType::kText;
  if (index >= bind.values.size() || !text) {
    return Refused("the value of set_config is not a text", "Declare its parameter as text.");
  }
  Ref<Statement> bound = MakeRef<Statement>();
  bound->name = statement.name;
  bound->local = statement.local;
  bound->returns_rows = true;
  bound->verb = bind.values[index] ? Verb::kSet : Verb::kReset;
  if (bind.values[index]) bound->arguments = {std::string(*bind.values[index])};
  return Ref<const Statement>(bound.get());
}

void Session::UndoSettings(Server* server) {
  if (!settings_undo_) return;
  settings_ = std::exchange(settings_undo_, {});
  context_ = nullptr;
  if (server != nullptr) DistrustSettings(*server);
}

void Session::DistrustSettings(Server& server) {
  std::vector<Settings::Entry> entries;
  for (const auto& [name, value] : server.settings->entries()) {
    entries.emplace_back(name, std::string(kUnknownValue));
  }
  server.settings = host_.settings().Intern(std::move(entries));
}

void Session::ApplySet(const Statement& statement, std::string_view text,
                       Participant* participant) {
  context_ = nullptr;
  if (statement.pin == PinReason::kOpaqueSetting) return;  // it stays on its server
  if (!transaction_.open() && !settings_undo_) settings_undo_ = settings_;
  if (statement.name == kSessionCharacteristics) {
    for (size_t i = 0; i + 1 < statement.arguments.size(); i += 2) {
      settings_ =
          host_.settings().With(*settings_, statement.arguments[i], statement.arguments[i + 1]);
    }
    if (transaction_.open()) transaction_.settings_changed() = true;
    if (participant != nullptr) participant->server->settings = settings_;
    return;
  }
  const bool reset = statement.verb == Verb::kReset;
  std::optional<std::string> value;
  if (!reset) {
    // set_config gives it as it is.
    value = statement.returns_rows ? statement.arguments[0]
                                   : FlattenSetting(statement.name, statement.arguments);
  }
  if (statement.local) {
    if (!transaction_.open()) return;
    transaction_.local() = host_.settings().With(*transaction_.local(), statement.name, value);
    transaction_.AddSetLocal(text);
    // Others have joined before: SendPrelude tells them, ahead of their next statement.
    if (participant != nullptr) DistrustSettingOfOthers(statement.name, participant);
    return;
  }
  OverrideLocal(statement.name, text, participant);
  settings_ = host_.settings().With(*settings_, statement.name, value);
  if (transaction_.open()) transaction_.settings_changed() = true;
  if (participant != nullptr) participant->server->settings = settings_;
}

// RESET ALL also ends what SET LOCAL has set, on the servers that know of it and on those that join
// later.
void Session::UndoLocal() {
  const Ref<const Settings> local = transaction_.local();
  for (const auto& [name, value] : local->entries()) {
    if (std::count(std::begin(kNotReset), std::end(kNotReset), name) > 0) continue;
    const Settings& none = *host_.settings().Empty();
    const auto set = host_.settings().With(none, name, std::string(kUnknownValue));
    const std::string* const session = FindSetting(name);
    const auto wanted = host_.settings().With(
        none, name, session == nullptr ? std::nullopt : std::optional(*session));
    OverrideLocal(name, SettingsChangeSql(*set, *wanted), nullptr);
  }
}

void Session::OverrideLocal(const std::string& name, std::string_view text,
                            const Participant* where) {
  if (!transaction_.open() || transaction_.local()->Find(name) == nullptr) return;
  transaction_.local() = host_.settings().With(*transaction_.local(), name, std::nullopt);
  transaction_.AddSetLocal(text);  // who joins later is told both, in this order
  DistrustSettingOfOthers(name, where);
}

void Session::DistrustSettingOfOthers(const std::string& name, const Participant* than) {
  for (Participant& participant : participants_) {
    if (&participant == than) continue;
    Server& server = *participant.server;
    server.settings = host_.settings().With(*server.settings, name, std::string(kUnknownValue));
  }
}

}  // namespace meridian
