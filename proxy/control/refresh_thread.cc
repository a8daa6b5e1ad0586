#include "proxy/control/refresh_thread.h"

#include <utility>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

void Answer(std::vector<RefreshThread::Done> requests, const absl::Status& status) {
  for (RefreshThread::Done& done : requests) {
    if (done) done(status);
  }
}

absl::Status ShuttingDown() {
  return SqlStatus(sqlstate::kAdminShutdown, "Meridian is shutting down");
}

}  // namespace

RefreshThread::RefreshThread(std::function<absl::Status()> work, Intervals intervals)
    : work_(std::move(work)), intervals_(intervals) {}

RefreshThread::~RefreshThread() { Stop(); }

void RefreshThread::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void RefreshThread::Request(Done done) {
  {
    const std::lock_guard lock(mu_);
    if (!stopped_) {
      requested_ = true;
      if (done) requests_.push_back(std::move(done));
      wake_.notify_all();
      return;
    }
  }
  if (done) done(ShuttingDown());
}

void RefreshThread::SetIntervals(Intervals intervals) {
  const std::lock_guard lock(mu_);
  intervals_ = intervals;
  wake_.notify_all();
}

void RefreshThread::Stop() {
  std::vector<Done> left;
  {
    const std::lock_guard lock(mu_);
    stopped_ = true;
    left.swap(requests_);
  }
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  Answer(std::move(left), ShuttingDown());
}

std::vector<RefreshThread::Done> RefreshThread::WaitForTurn(const std::stop_token& stop) {
  std::unique_lock lock(mu_);
  while (last_run_ && !stop.stop_requested()) {
    const auto due = *last_run_ + (requested_ ? intervals_.min : intervals_.poll);
    if (Clock::now() >= due) break;
    // Wakes for a stop, too; the loop looks again whatever woke it.
    const bool was_requested = requested_;
    const Intervals was = intervals_;
    wake_.wait_until(lock, stop, due, [&] {
      return requested_ != was_requested || intervals_.poll != was.poll ||
             intervals_.min != was.min;
    });
  }
  requested_ = false;
  return std::exchange(requests_, {});
}

void RefreshThread::Run(const std::stop_token& stop) {
  for (;;) {
    std::vector<Done> requests = WaitForTurn(stop);
    if (stop.stop_requested()) return Answer(std::move(requests), ShuttingDown());
    const absl::Status result = work_();
    {
      const std::lock_guard lock(mu_);
      last_run_ = Clock::now();
    }
    Answer(std::move(requests), result);
  }
}

}  // namespace meridian
