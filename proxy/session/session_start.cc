#include "proxy/session/session_start.h"

#include <algorithm>

#include "proxy/wire/error_response.h"
#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"

namespace meridian {
namespace {

void Put(ParameterList& list, std::string_view name, std::string_view value) {
  const auto found = std::find_if(list.begin(), list.end(),
                                  [name](const auto& entry) { return entry.first == name; });
  if (found != list.end()) {
    found->second = std::string(value);
  } else {
    list.emplace_back(name, value);
  }
}

}  // namespace

SessionStart::SessionStart(ServerPools& pools, Pool& pool, Ref<const Settings> settings,
                           bool keep_server, Done done)
    : pools_(pools),
      pool_(pool),
      settings_(std::move(settings)),
      keep_server_(keep_server),
      done_(std::move(done)) {}

SessionStart::~SessionStart() {
  if (waiting_) pools_.Forget(*this);
  if (server_ != nullptr) {
    server_->owner = nullptr;
    pools_.Return(*server_, Release::kDrop);
  }
}

void SessionStart::Begin() {
  Server* const server = pools_.Acquire(pool_, *this);
  if (server != nullptr) {
    OnServer(*server);
  } else {
    waiting_ = true;
  }
}

void SessionStart::OnServer(Server& server) {
  waiting_ = false;
  server_ = &server;
  server.owner = this;
  parameters_ = pool_.profile()->parameters;
  const std::string sql = SettingsChangeSql(*server.settings, *settings_);
  if (sql.empty()) {
    Finish(parameters_);
    return;
  }
  server.SendQuery(sql);
}

void SessionStart::OnServerFailed(const absl::Status& status) {
  waiting_ = false;
  Finish(status);
}

void SessionStart::OnServerBytes(Server& server, std::string_view bytes) {
  while (!bytes.empty() && server_ == &server) {
    const wire::MessageStream::Event event = server.stream.Next(bytes);
    if (event.kind == wire::MessageStream::Kind::kNone) return;
    switch (event.type) {
      case wire::kParameterStatus: {
        ByteReader reader(event.body());
        const std::string_view name = reader.String();
        const std::string_view value = reader.String();
        Put(parameters_, name, value);
        break;
      }
      case wire::kErrorResponse:
        error_ = ToStatus(wire::ToSqlError(wire::ParseErrorFields(event.body())));
        break;
      case wire::kReadyForQuery:
        if (error_.ok()) {
          server.settings = settings_;
          Finish(parameters_);
        } else {
          Finish(error_);
        }
        break;
      default:
        break;
    }
  }
}

void SessionStart::OnServerClosed(Server& server, const SqlError& reason) {
  if (server_ != &server) return;
  server_ = nullptr;
  Finish(error_.ok() ? ToStatus(reason) : error_);
}

void SessionStart::Finish(absl::StatusOr<ParameterList> parameters) {
  Server* server = std::exchange(server_, nullptr);
  if (server != nullptr) {
    server->owner = nullptr;
    if (!keep_server_ || !parameters.ok()) {
      pools_.Return(*std::exchange(server, nullptr), Release::kClean);
    }
  }
  const Done done = std::move(done_);
  done(std::move(parameters), server);  // may destroy this object
}

}  // namespace meridian
