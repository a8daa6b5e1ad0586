// The worker of a test: sessions with real pools and a real router, but no sockets. The test says
// what happens and when; what servers say comes from Backends.
//
// Bytes of an event are freed when it ends, so that the address sanitizer sees who keeps them.
// After each event the stage checks what must always hold (see Check); `problems` collects what did
// not.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/session/session.h"
#include "tests/proxy/session/conversation.h"

namespace meridian {

// The other end of a server connection, logged in.
class Backend {
 public:
  virtual ~Backend() = default;
  // `cleaning`: the pool sends this, not a session.
  virtual void OnBytes(std::string_view bytes, bool cleaning) = 0;
  // What it says by now. Takes it.
  virtual std::string TakeAnswer() = 0;
  // Whether it closes the connection when its answer has been read.
  virtual bool closes() const { return false; }
};

class Stage final : public SessionHost, public PoolHost {
 public:
  struct Client {
    std::unique_ptr<Session> session;
    std::string seen;
    bool closed = false;  // by the session
    bool gone = false;    // the client closed it
  };
  // A server connection.
  struct Link {
    Server* server = nullptr;  // nullptr: closed
    std::string name;
    std::unique_ptr<Backend> backend;
    bool logged_in = false;
    bool reading = true;
    std::string answer;    // of the backend, not read yet
    std::string received;  // the start of a message
    std::string said;      // the start of a message
    size_t owed = 0;       // ReadyForQuery messages
    int cancels = 0;       // CancelRequests that were sent to it
  };
  using MakeBackend = std::function<std::unique_ptr<Backend>(const std::string& name)>;

  Stage(const Conversation::Options& options, MakeBackend make_backend);
  ~Stage();

  // Events.
  void ClientSends(char client, std::string_view bytes);
  void ClientVanishes(char client);
  void ClientCancels(char client);
  // The first `size` bytes of what it says.
  void ServerSpeaks(Link& link, size_t size);
  void ServerDies(Link& link);
  void ChangeMap(std::shared_ptr<const ShardMap> map, std::shared_ptr<const Schema> schema);
  void Tick(uint64_t microseconds);

  // Lets everything happen that does so by itself: logins, answers, the schema's refresh, the
  // arrival of CancelRequests. `read` does one read of at most the given number of bytes.
  using Read = std::function<void(Link&, size_t available)>;
  void Settle(const Read& read);
  // One turn of that; false: there is nothing left to happen.
  bool Turn(const Read& read);
  void Settle() {
    Settle([this](Link& link, size_t available) { ServerSpeaks(link, available); });
  }

  Client& client(char name);
  std::map<char, Client>& clients() { return clients_; }
  std::vector<std::unique_ptr<Link>>& links() { return links_; }
  bool hold_logins = false;
  bool trace = false;  // print what happens
  // Whether servers speak the protocol, so that what clients see must do so as well.
  bool honest_servers = true;
  std::vector<std::string> problems;

  // SessionHost
  Router& router() override { return router_; }
  SettingsRegistry& settings() override { return settings_; }
  PreparedTexts& prepared_texts() override { return prepared_texts_; }
  SqlContexts& contexts() override;
  WorkerMetrics& metrics() override;
  Analysis& scratch_analysis() override { return scratch_; }
  wire::BindView& scratch_bind() override { return bind_; }
  uint64_t NowUs() override { return now_us_; }
  void MarkDirty(Session&) override {}
  void CloseClient(Session& session) override;
  absl::StatusOr<Pool*> PoolOf(Session& session, ShardIndex shard) override;
  const ShardNodes* NodesOf(ShardIndex shard) override;
  std::optional<ReplicaPool> ReplicaPoolOf(Session& session, ShardIndex shard,
                                           absl::Span<const size_t> candidates) override;
  void OnReplicaFailed(const NodeSamples&) override {}
  void AwaitNodes(Session&) override {}
  void AwaitMap(Session&) override {}
  MovingSet HeldRanges() override { return router_.map().held(); }
  uint64_t primary_timeout_us() const override { return 0; }
  uint64_t replica_wait_us() const override { return 0; }
  ServerPools& pools() override { return *pools_; }
  void CancelServer(Server& server) override;
  void SetReading(Server& server, bool on) override;
  void RequestSchemaRefresh(Session& session) override { refreshing_.push_back(&session); }
  void Report(Session&, const StatementReport&) override {}
  void ReportTransaction(Session&, uint64_t) override {}
  void ReportWait(Session&, uint64_t) override {}
  std::string NewTransactionName(std::string_view lead_shard) override;
  void EndTransactionName(const std::string& name) override;
  void PassFaultPoint(std::string_view, bool) override {}
  size_t max_message_bytes() const override { return 1 << 20; }

  // PoolHost
  void Connect(Server& server, const NodeAddress& node) override;
  void Flush(Server& server) override;
  void Disconnect(Server& server) override;
  void DeriveKeys(uint64_t, std::string, std::string, int) override {}

 private:
  void Event(std::string_view bytes, const std::function<void(std::string_view)>& happen);
  void Collect(std::string_view bytes, const Session* owner);
  void Receive(Link& link);
  void Trace(const std::string& who, std::string_view what, std::string_view bytes) const;
  void Check();
  void LogIn(Link& link);
  Link* FindLink(const Server& server);

  const Conversation::Options options_;
  const MakeBackend make_backend_;
  SettingsRegistry settings_;
  PreparedTexts prepared_texts_;
  Analysis scratch_;
  wire::BindView bind_;
  Router& router_;
  PoolBudgets budgets_;
  std::unique_ptr<ServerPools> pools_;
  std::vector<std::unique_ptr<Link>> links_;
  std::map<std::string, int> connections_;   // by shard
  std::map<std::string, ShardNodes> nodes_;  // the same
  std::map<char, Client> clients_;
  std::vector<Session*> refreshing_;
  std::vector<uint64_t> cancels_;  // server ids
  bool slots_freed_ = false;
  uint64_t now_us_ = 1'000'000;
  int transactions_ = 0;
  std::set<std::string> transaction_names_;  // in use
};

}  // namespace meridian
