#include "proxy/control/command_thread.h"

#include <fmt/format.h>

#include <utility>

#include "metrics/log.h"
#include "rebalance/balance_commands.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

CommandReply ShuttingDown() {
  return {SqlStatus(sqlstate::kAdminShutdown, "Meridian is shutting down",
                    "The command was not executed."),
          {}};
}

CommandReply TooMany(size_t waiting) {
  return {SqlStatus(sqlstate::kTooManyConnections,
                    fmt::format("{} admin commands are waiting already", waiting),
                    "Try again when they are done."),
          {}};
}

}  // namespace

CommandThread::CommandThread(CatalogOptions catalog, ShardAccess access, size_t waiting_max,
                             Finish finish)
    : catalog_(std::move(catalog)),
      access_(std::move(access)),
      waiting_max_(waiting_max),
      finish_(std::move(finish)) {}

CommandThread::~CommandThread() { Stop(); }

void CommandThread::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void CommandThread::Submit(SubmittedCommand command) {
  CommandReply refusal;
  {
    const std::lock_guard lock(mu_);
    if (!stopped_ && queue_.size() < waiting_max_) {
      queue_.push_back(std::move(command));
      wake_.notify_all();
      return;
    }
    refusal = stopped_ ? ShuttingDown() : TooMany(queue_.size());
  }
  command.done(std::move(refusal));
}

size_t CommandThread::waiting() const {
  const std::lock_guard lock(mu_);
  return queue_.size();
}

void CommandThread::Stop() {
  std::deque<SubmittedCommand> left;
  {
    const std::lock_guard lock(mu_);
    stopped_ = true;
    left.swap(queue_);
  }
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  for (SubmittedCommand& command : left) command.done(ShuttingDown());
}

void CommandThread::Run(const std::stop_token& stop) {
  CatalogOptions catalog = catalog_;
  catalog.target.stop = stop;
  ShardAccess access = access_;
  access.login.stop = stop;
  CatalogStore store(catalog);
  AdminExecutor executor(store, access);
  for (;;) {
    std::unique_lock lock(mu_);
    if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
    SubmittedCommand command = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    Execute(executor, store, access, std::move(command), stop);
  }
}

void CommandThread::Execute(AdminExecutor& executor, CatalogStore& store, const ShardAccess& access,
                            SubmittedCommand command, const std::stop_token& stop) {
  CommandReply reply;
  auto balanced = ExecuteBalance(command.command, command.text, command.who, store, access);
  auto outcome =
      balanced
          ? *std::move(balanced)
          : executor.Execute(command.command, command.text, command.who,
                             [&](const AdminNotice& notice) { reply.notices.push_back(notice); });
  if (!outcome.ok()) {
    const SqlError error = ToSqlError(outcome.status());
    LogWarning("admin command failed", {{"command", TagOf(command.command)},
                                        {"user", command.who},
                                        {"sqlstate", error.sqlstate},
                                        {"error", error.message}});
    reply.result = outcome.status();
    command.done(std::move(reply));
    return;
  }
  LogInfo("admin command",
          {{"command", TagOf(command.command)},
           {"user", command.who},
           {"epoch", outcome->map == nullptr ? uint64_t{0} : outcome->map->epoch().value}});
  reply.result = std::move(outcome->result);
  finish_(std::move(outcome->map), std::move(reply), std::move(command.done), stop);
}

}  // namespace meridian
