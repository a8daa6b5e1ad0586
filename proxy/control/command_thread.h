// Executes admin commands that change the catalog, one after the other.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "proxy/control/command_reply.h"
#include "sharding/admin/command.h"
#include "sharding/admin/executor.h"
#include "sharding/admin/shard_access.h"
#include "sharding/catalog/store.h"

namespace meridian {

struct SubmittedCommand {
  Command command;
  std::string text;
  std::string who;
  std::function<void(CommandReply)> done;
};

// Thread-safe.
class CommandThread {
 public:
  // `finish` gets each command that succeeded, with its map, and sees to it that `done` is called
  // when the map is in use. On the command thread; may block until `stop`.
  using Finish =
      std::function<void(std::shared_ptr<const ShardMap> map, CommandReply reply,
                         std::function<void(CommandReply)> done, const std::stop_token& stop)>;

  CommandThread(CatalogOptions catalog, ShardAccess access, size_t waiting_max, Finish finish);
  ~CommandThread();  // Stop()
  CommandThread(const CommandThread&) = delete;
  CommandThread& operator=(const CommandThread&) = delete;

  void Start();
  // 53300 where too many wait already, 57P01 after Stop: `done` is then called within the call.
  void Submit(SubmittedCommand command);
  // Waits for the running command. Those that wait get 57P01. Any number of times.
  void Stop();

  size_t waiting() const;

 private:
  void Run(const std::stop_token& stop);
  void Execute(AdminExecutor& executor, CatalogStore& store, const ShardAccess& access,
               SubmittedCommand command, const std::stop_token& stop);

  const CatalogOptions catalog_;
  const ShardAccess access_;
  const size_t waiting_max_;
  const Finish finish_;
  mutable std::mutex mu_;
  std::condition_variable_any wake_;
  std::deque<SubmittedCommand> queue_;  // guarded by mu_
  bool stopped_ = false;                // guarded by mu_
  std::jthread thread_;
};

}  // namespace meridian
