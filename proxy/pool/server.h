// One connection to a PostgreSQL server, without its socket: what is on it, and who uses it.
//
// Belongs to one worker and its ServerPools. The driver (proxy/net) moves bytes: it writes `out`,
// and gives what it reads to ServerPools::OnServerBytes, which passes them to the owner once the
// login is done.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/pool/pool_types.h"
#include "proxy/pool/settings.h"
#include "proxy/wire/message_stream.h"
#include "proxy/wire/messages.h"
#include "proxy/wire/out_queue.h"
#include "router/ref.h"
#include "sharding/shard_map.h"
#include "sharding/sql_status.h"

namespace meridian {

class Server;
class ServerLogin;
class Pool;

// Who uses a server connection: a session, or the pool itself while it cleans it.
class ServerOwner {
 public:
  // Bytes from the server; valid until the end of the event.
  virtual void OnServerBytes(Server& server, std::string_view bytes) = 0;
  // The connection is gone (closed by the server, reset, or the node died). The owner must forget
  // `server` now.
  virtual void OnServerClosed(Server& server, const SqlError& reason) = 0;
  // A cancel request to it is through: it has hit by now what it will.
  virtual void OnCancelDone(Server&) {}

 protected:
  ~ServerOwner() = default;
};

// Which prepared statements are on a server connection, least recently used last.
class PreparedOnServer {
 public:
  // Whether statement `id` is there; makes it the most recently used.
  bool Touch(uint64_t id);
  void Add(uint64_t id);
  void Remove(uint64_t id);
  void Clear();
  size_t size() const { return by_id_.size(); }
  // Precondition: size() > 0. The one to give up.
  uint64_t LeastRecent() const { return order_.back(); }

 private:
  std::list<uint64_t> order_;
  absl::flat_hash_map<uint64_t, std::list<uint64_t>::iterator> by_id_;
};

class Server {
 public:
  Server(uint64_t id, Pool& pool);
  ~Server();

  const uint64_t id;
  Pool& pool;
  wire::OutQueue out;
  wire::MessageStream stream;
  ServerOwner* owner = nullptr;

  // As of the last ReadyForQuery.
  char transaction_status = wire::kIdle;
  // What has been SET on it beyond its own defaults. Never null.
  Ref<const Settings> settings;
  PreparedOnServer prepared;
  // Which statement the unnamed one is (an id of the session layer's); 0: none that we know. Every
  // Query drops it (PostgreSQL: exec_simple_query).
  uint64_t unnamed_statement = 0;
  void SendQuery(std::string_view sql);
  // Whether a session may have drawn values from sequences on it, which currval() and lastval()
  // would show to the next one, too.
  bool holds_sequence_values = false;

  // Of a replica: NodeSamples::started() when a session got the connection first; 0: none has.
  uint64_t first_sample = 0;

  uint32_t backend_pid = 0;
  std::string cancel_secret;
  // Cancel requests on their way: the server must not be given to another session until they have
  // arrived.
  uint32_t cancels_in_flight = 0;

  uint64_t opened_us = 0;
  uint64_t idle_since_us = 0;
  uint64_t queries = 0;  // statements sent, for SHOW SERVERS

  // For the driver: its handle of this connection.
  void* handle = nullptr;

  // For ServerPools.
  std::unique_ptr<ServerLogin> login;  // non-null until the login is done
  enum class State : uint8_t { kLogin, kIdle, kActive, kCleaning, kClosing };
  State state = State::kLogin;
  bool close_when_released = false;   // too old, or its pool is being emptied
  Release release = Release::kClean;  // kCleaning: how it came back
  uint8_t answers_due = 0;            // kCleaning: of the pool's own statements
  uint64_t deadline_us = 0;           // kLogin, kCleaning: when to give up; 0: never
};

}  // namespace meridian
