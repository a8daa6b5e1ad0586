// What a session asks of the worker that it lives in. The worker (proxy/net) implements it; tests
// have their own.
#pragma once

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/counters.h"
#include "proxy/control/node_states.h"
#include "proxy/pool/server_pools.h"
#include "proxy/session/prepared_text.h"
#include "proxy/session/sql_contexts.h"
#include "proxy/wire/frontend_messages.h"
#include "router/router.h"

namespace meridian {

class Session;

// One finished statement, for the log and the counters.
struct StatementReport {
  const Statement* statement = nullptr;  // nullptr: a function call
  QueryKind kind = QueryKind::kOther;
  Outcome outcome = Outcome::kOk;
  uint64_t microseconds = 0;
  const UsedKey* key = nullptr;  // of some statements; by the router's map
};

class SessionHost {
 public:
  // Values of the worker.
  virtual Router& router() = 0;
  virtual SettingsRegistry& settings() = 0;
  virtual PreparedTexts& prepared_texts() = 0;
  virtual SqlContexts& contexts() = 0;
  virtual WorkerMetrics& metrics() = 0;
  // Memory for the duration of one message.
  virtual Analysis& scratch_analysis() = 0;
  virtual wire::BindView& scratch_bind() = 0;
  virtual uint64_t NowUs() = 0;  // monotonic

  // `session` has bytes to write, or wants to be asked again whether it reads: at the end of this
  // event.
  virtual void MarkDirty(Session& session) = 0;
  // The session is over: write what it has queued, then close.
  virtual void CloseClient(Session& session) = 0;

  // The pool of the shard's primary for this session's user and database. 57P03 where no primary is
  // known.
  virtual absl::StatusOr<Pool*> PoolOf(Session& session, ShardIndex shard) = 0;
  // The nodes of the shard, valid until the event ends; nullptr: the shard is gone.
  virtual const ShardNodes* NodesOf(ShardIndex shard) = 0;
  // The one of these replicas (indexes into ShardNodes::nodes, at least one) that has least to do,
  // and its pool; nullopt: none of them can be connected to just now.
  struct ReplicaPool {
    size_t node;
    Pool* pool;
  };
  virtual std::optional<ReplicaPool> ReplicaPoolOf(Session& session, ShardIndex shard,
                                                   absl::Span<const size_t> candidates) = 0;
  // It gave no connection: not to be chosen for a moment.
  virtual void OnReplicaFailed(const NodeSamples& replica) = 0;
  // The session waits for a primary that it can have, or for a sample: later, also where nothing
  // has changed, Session::OnNodesMayHaveChanged.
  virtual void AwaitNodes(Session& session) = 0;
  // The session waits for another shard map: later, also where nothing has changed,
  // Session::OnNodesMayHaveChanged.
  virtual void AwaitMap(Session& session) = 0;
  // The ranges on the move that no statement may begin to use: those that are held, and all while
  // this proxy cannot tell whether its map is the latest.
  virtual MovingSet HeldRanges() = 0;
  // How long statements wait for a primary (failover_timeout), in microseconds; 0: not at all.
  virtual uint64_t primary_timeout_us() const = 0;
  // How long reads wait for a replica (replicas.wait), in microseconds.
  virtual uint64_t replica_wait_us() const = 0;
  virtual ServerPools& pools() = 0;
  // Sends a CancelRequest for what the server is doing; the server is kept from others until it has
  // arrived.
  virtual void CancelServer(Server& server) = 0;
  // Stops or resumes reading from a server (it is not its turn to be merged).
  virtual void SetReading(Server& server, bool on) = 0;
  // Has the schema read anew; later Session::OnSchemaRefreshed.
  virtual void RequestSchemaRefresh(Session& session) = 0;
  virtual void Report(Session& session, const StatementReport& report) = 0;
  // A transaction has ended; a statement outside of a transaction block is one.
  virtual void ReportTransaction(Session& session, uint64_t microseconds) = 0;
  // It has waited for a server connection.
  virtual void ReportWait(Session& session, uint64_t microseconds) = 0;
  // A name for prepared transactions that no other proxy and no other call gives, and that says
  // which shard has the record of the decision. Without quotes and backslashes. In use until
  // EndTransactionName: until then nobody else decides about them.
  virtual std::string NewTransactionName(std::string_view lead_shard) = 0;
  virtual void EndTransactionName(const std::string& name) = 0;
  // One of kFaultPoints (metrics/fault_points.h); `sent`: when what is queued now has been written.
  virtual void PassFaultPoint(std::string_view point, bool sent) = 0;
  virtual size_t max_message_bytes() const = 0;

 protected:
  ~SessionHost() = default;
};

}  // namespace meridian
