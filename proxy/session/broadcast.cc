#include "proxy/session/broadcast.h"

#include <algorithm>

#include "proxy/wire/error_response.h"
#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"

namespace meridian {

void Broadcast::Send(Server& server, std::string_view sql) {
  server.SendQuery(sql);
  branches_.push_back({&server});
  ++outstanding_;
}

bool Broadcast::Has(const Server& server) const {
  return std::any_of(branches_.begin(), branches_.end(), [&server](const Branch& branch) {
    return branch.server == &server && !branch.done;
  });
}

void Broadcast::OnEvent(Server& server, const wire::MessageStream::Event& event) {
  if (event.kind != wire::MessageStream::Kind::kMessage) return;
  switch (event.type) {
    case wire::kCommandComplete:
      if (tag_.empty()) tag_ = std::string(ByteReader(event.body()).String());
      break;
    case wire::kErrorResponse:
      if (!error_) error_ = wire::ToSqlError(wire::ParseErrorFields(event.body()));
      break;
    case wire::kReadyForQuery:
      server.transaction_status = event.body().empty() ? wire::kIdle : event.body()[0];
      for (Branch& branch : branches_) {
        if (branch.server != &server || branch.done) continue;
        branch.done = true;
        --outstanding_;
      }
      break;
    default:
      break;
  }
}

void Broadcast::OnClosed(const Server& server, const SqlError& reason) {
  for (Branch& branch : branches_) {
    if (branch.server != &server || branch.done) continue;
    branch.done = true;
    --outstanding_;
    if (!error_) error_ = reason;
  }
}

}  // namespace meridian
