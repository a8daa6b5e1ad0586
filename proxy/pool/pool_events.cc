// What happens to server connections: bytes, their end, cleaning (NodePool of pool.h).
#include <fmt/format.h>

#include "proxy/pool/pool.h"
#include "proxy/wire/message_writer.h"

namespace meridian {

void NodePool::OnBytes(Server& server, std::string_view bytes) {
  switch (server.state) {
    case Server::State::kActive:
      if (server.owner != nullptr) server.owner->OnServerBytes(server, bytes);
      break;
    case Server::State::kLogin:
      OnLoginBytes(server, bytes);
      break;
    case Server::State::kIdle:
      OnUnlinkedBytes(server, bytes);
      break;
    case Server::State::kCleaning:
      OnCleaningBytes(server, bytes);
      break;
    case Server::State::kClosing:
      break;
  }
}

void NodePool::OnClosed(Server& server, std::string_view why) {
  const Server::State state = server.state;
  if (state == Server::State::kClosing) return;
  SqlError error{.sqlstate = std::string(sqlstate::kConnectionFailure),
                 .message = {},
                 .detail = {},
                 .hint = "Check that the node runs and accepts connections."};
  if (state == Server::State::kLogin) {
    error.message = fmt::format("could not connect to node {}: {}", key_.node.ToString(), why);
    OnLoginFailed(server, ToStatus(error));
    return;
  }
  error.message = fmt::format("the connection to node {} was lost: {}", key_.node.ToString(), why);
  ServerOwner* owner = server.owner;
  Close(server);
  if (owner != nullptr) owner->OnServerClosed(server, error);
  Serve();
}

// Of a connection that serves nobody. A server may say at any time that a setting has changed, or
// give a notice; an error is its farewell (57P01, 57P05).
void NodePool::OnUnlinkedBytes(Server& server, std::string_view bytes) {
  for (;;) {
    const auto event = server.stream.Next(bytes);
    if (event.kind == wire::MessageStream::Kind::kNone) return;
    if (event.kind == wire::MessageStream::Kind::kMessage) {
      if (event.type == wire::kParameterStatus || event.type == wire::kNoticeResponse) continue;
      if (event.type == wire::kErrorResponse) {
        Close(server);
        return;
      }
    }
    DropUnsolicited(server);
    return;
  }
}

void NodePool::DropUnsolicited(Server& server) {
  ++unsolicited_;
  Close(server);
}

// Sends what makes the connection clean, unless a cancel request is on its way to it, which might
// hit that, or the next session's statement.
void NodePool::Clean(Server& server, Release how) {
  server.release = how;
  server.answers_due = 0;
  if (server.cancels_in_flight > 0) return;
  // Two messages: DISCARD ALL refuses to run in a transaction, the implicit one of a message with
  // several statements included.
  if (server.transaction_status != wire::kIdle) {
    server.SendQuery("ROLLBACK");
    ++server.answers_due;
  }
  if (how == Release::kReset) {
    server.SendQuery("DISCARD ALL");
    ++server.answers_due;
  }
  if (server.answers_due == 0) {
    OnCleaned(server, {});
  } else {
    context_.host.Flush(server);
  }
}

void NodePool::OnCleaningBytes(Server& server, std::string_view bytes) {
  if (server.answers_due == 0) {  // waits for cancel requests
    OnUnlinkedBytes(server, bytes);
    Serve();
    return;
  }
  for (;;) {
    const auto event = server.stream.Next(bytes);
    if (event.kind == wire::MessageStream::Kind::kNone) return;
    const bool whole = event.kind == wire::MessageStream::Kind::kMessage;
    if (whole && (event.type == wire::kParameterStatus || event.type == wire::kNoticeResponse ||
                  event.type == wire::kCommandComplete)) {
      continue;
    }
    // After each of the two statements the connection is outside of a transaction.
    if (whole && event.type == wire::kReadyForQuery && event.body() == "I") {
      if (--server.answers_due > 0) continue;
      server.transaction_status = wire::kIdle;
      OnCleaned(server, bytes);
      Serve();
      return;
    }
    Close(server);
    Serve();
    return;
  }
}

// `rest`: what came behind the last answer.
void NodePool::OnCleaned(Server& server, std::string_view rest) {
  if (server.release == Release::kReset) {
    server.settings = context_.settings.Empty();
    server.prepared.Clear();
    server.unnamed_statement = 0;
    server.holds_sequence_values = false;
  }
  MakeIdle(server);
  if (!rest.empty() && server.state == Server::State::kIdle) OnUnlinkedBytes(server, rest);
}

void NodePool::OnCancelDone(Server& server) {
  if (server.cancels_in_flight > 0) --server.cancels_in_flight;
  if (server.state == Server::State::kActive && server.owner != nullptr) {
    server.owner->OnCancelDone(server);
    return;
  }
  if (server.state != Server::State::kCleaning || server.cancels_in_flight > 0 ||
      server.answers_due > 0) {
    return;
  }
  Clean(server, server.release);
  Serve();
}

void NodePool::CloseUncleaned(uint64_t now_us) {
  if (cleaning_ == 0) return;
  for (size_t i = servers_.size(); i > 0; --i) {
    Server& server = *servers_[i - 1];
    if (server.state == Server::State::kCleaning && now_us >= server.deadline_us) Close(server);
  }
}

}  // namespace meridian
