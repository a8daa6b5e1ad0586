// The virtual database `meridian` as a logged-in administrator sees it: admin SQL by the simple and
// the extended protocol.
//
// Pure: bytes in, bytes out. Commands may take long; until AdminHost has answered, no further
// message is handled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  virtual void CloseClient(AdminSession& session) = 0;

 protected:
  ~AdminHost() = default;
};

// What ParameterStatus tells a client of the admin database.
const std::vector<std::pair<std::string, std::string>>& AdminParameters();

class AdminSession {
 public:
  AdminSession(AdminHost& host, uint64_t client_id, std::string user);

  void OnClientBytes(std::string_view bytes);
  void OnReply(CommandReply reply);

  wire::OutQueue out;
  void* handle = nullptr;

  uint64_t client_id() const { return client_id_; }
  const std::string& user() const { return user_; }
  bool waiting() const { return waiting_; }

 private:
  struct Portal {
    AdminStatement statement;
    bool empty = false;
    std::vector<uint16_t> formats;
  };
  struct Prepared {
    AdminStatement statement;
    bool empty = false;
  };

  void Process();
  void Handle(char type, std::string_view body);
  void HandleQuery(std::string_view body);
  void HandleParse(std::string_view body);
  void HandleBind(std::string_view body);
  void HandleDescribe(std::string_view body);
  void HandleExecute(std::string_view body);
  void HandleClose(std::string_view body);
  void RunNext();
  void Run(const AdminStatement& statement);
  void Answer(const absl::StatusOr<AdminResult>& result);
  void AppendRows(const AdminTable& table);
  void AppendDescription(const std::vector<AdminColumn>& columns,
                         const std::vector<uint16_t>& formats);
  std::vector<AdminColumn> Columns(const Command& command);
  void NoteTransaction(const Command& command);
  void Fail(const absl::Status& status);
  void Fatal(const absl::Status& status);
  void Ready();

  AdminHost& host_;
  const uint64_t client_id_;
  const std::string user_;
  AdminSessionFacts facts_;
  std::string inbox_;
  std::vector<AdminStatement> queue_;  // of the running Query
  size_t next_ = 0;
  bool simple_ = false;   // the running command came by Query
  bool waiting_ = false;  // for OnReply
  bool skip_until_sync_ = false;
  bool closing_ = false;
  char status_ = 'I';
  std::vector<uint16_t> formats_;  // of the running command's result
  StringMap<Prepared> prepared_;
  StringMap<Portal> portals_;
};

}  // namespace meridian
