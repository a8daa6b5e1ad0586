// The virtual database `meridian` as a logged-in administrator sees it: admin SQL by the simple and
// the extended protocol.
//
// Pure: bytes in, bytes out. Commands may take long; until AdminHost has answered, no further
// message is handled. Commands are not transactional: BEGIN and COMMIT move only the transaction
// status that drivers watch, and errors fail a transaction as in PostgreSQL.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/admin/admin_parameters.h"
#include "proxy/admin/result_writer.h"
#include "proxy/control/command_reply.h"
#include "proxy/wire/frontend_messages.h"
#include "proxy/wire/out_queue.h"
#include "sharding/admin/command.h"
#include "sharding/admin/parser.h"
#include "sharding/admin/session_statement.h"
#include "sharding/shard_map.h"
#include "sharding/string_map.h"

namespace meridian {

class AdminSession;

class AdminHost {
 public:
  virtual const ShardMap& AdminMap() = 0;
  // Executes what is not answered from the map: later, or within the call, AdminSession::OnReply.
  virtual void Execute(AdminSession& session, const AdminStatement& statement) = 0;
  // The columns of a command that Execute will answer; empty: it returns no rows.
  virtual std::vector<AdminColumn> ColumnsOf(const Command& command) = 0;
  virtual void MarkDirty(AdminSession& session) = 0;
  // The session is over: write what it has queued, then close. Must not destroy it within the call.
  virtual void CloseClient(AdminSession& session) = 0;

 protected:
  ~AdminHost() = default;
};

class AdminSession {
 public:
  // A longer message ends the session; the longest text (kMaxAdminTextBytes) fits.
  static constexpr uint32_t kMaxMessageBytes = 1 << 20;
  // So does more input than this while a command runs.
  static constexpr size_t kMaxInboxBytes = 2 << 20;
  // Prepared statements, and portals; 54000 beyond it.
  static constexpr size_t kMaxPrepared = 1000;

  AdminSession(AdminHost& host, uint64_t client_id, std::string user);

  // `bytes` need not live longer than the call.
  void OnClientBytes(std::string_view bytes);
  // The answer of what was given to AdminHost::Execute. Precondition: waiting().
  void OnReply(CommandReply reply);

  wire::OutQueue out;
  void* handle = nullptr;

  uint64_t client_id() const { return client_id_; }
  const std::string& user() const { return user_; }
  bool waiting() const { return waiting_; }
  char transaction_status() const { return status_; }
  uint64_t statements_done() const { return statements_done_; }

 private:
  struct Portal {
    std::optional<AdminStatement> statement;  // nullopt: an empty text
    ResultFormats formats;
    std::optional<AdminResult> result;  // from the first Execute on
    size_t next_row = 0;
  };
  // The statements of a Query.
  struct Script {
    std::vector<AdminStatement> statements;
    size_t next = 0;
  };

  // --- admin_session.cc: messages in, the simple protocol, running a statement
  void Process();
  bool ProcessOne();
  void Handle(char type, std::string_view body);
  void HandleQuery(std::string_view body);
  void ContinueScript();
  void Run(const AdminStatement& statement);
  absl::StatusOr<AdminResult> RunForSession(const AdminStatement& statement);
  void NoteTransaction(const SessionStatement& statement, std::string& tag);
  void Answer(absl::StatusOr<AdminResult> result);
  std::vector<AdminColumn> Columns(const Command& command);
  void Fail(const absl::Status& status);
  void Fatal(std::string_view sqlstate, std::string message);
  void Warn(const AdminNotice& notice);
  void Ready();

  // --- admin_extended.cc: the extended protocol; an error is sent by the caller
  absl::Status HandleExtended(char type, std::string_view body);
  absl::Status HandleParse(std::string_view body);
  absl::Status HandleBind(std::string_view body);
  absl::Status HandleDescribe(std::string_view body);
  absl::Status HandleExecute(std::string_view body);
  absl::Status HandleClose(std::string_view body);
  void SendRows(Portal& portal);
  // DEALLOCATE and DISCARD ALL.
  absl::Status Deallocate(const AdminStatement& statement);

  AdminHost& host_;
  const uint64_t client_id_;
  const std::string user_;
  AdminSessionFacts facts_;

  std::string inbox_;
  size_t inbox_used_ = 0;
  bool closing_ = false;
  bool skip_until_sync_ = false;
  char status_ = 'I';
  bool changed_in_transaction_ = false;  // by a command that ROLLBACK does not undo
  uint64_t statements_done_ = 0;

  bool waiting_ = false;          // for OnReply
  bool calling_ = false;          // AdminHost::Execute
  std::optional<Script> script_;  // a Query is being answered; otherwise an Execute
  std::string executing_;         // its portal
  uint32_t max_rows_ = 0;         // of that Execute; 0: all

  StringMap<std::optional<AdminStatement>> prepared_;
  StringMap<Portal> portals_;
  wire::BindView bind_;  // scratch
};

}  // namespace meridian
