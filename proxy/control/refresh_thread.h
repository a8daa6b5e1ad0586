// A thread that repeats some work at an interval, and sooner where it is asked to.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace meridian {

// Thread-safe.
class RefreshThread {
 public:
  using Done = std::function<void(absl::Status)>;
  struct Intervals {
    std::chrono::milliseconds poll;    // between runs that nobody asked for
    std::chrono::milliseconds min{0};  // between runs that somebody asked for
  };

  // `work` is run on the thread, from Start on.
  RefreshThread(std::function<absl::Status()> work, Intervals intervals);
  ~RefreshThread();  // Stop()
  RefreshThread(const RefreshThread&) = delete;
  RefreshThread& operator=(const RefreshThread&) = delete;

  void Start();
  // Calls `done` (may be null) with the result of a run that begins after this call; requests that
  // wait for the same run share it. 57P01 after Stop.
  void Request(Done done);
  void SetIntervals(Intervals intervals);
  // Waits for the running work, which its owner has to cut short. Any number of times.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;

  void Run(const std::stop_token& stop);
  // The requests that the next run answers, when it is due. Empty where nobody asked.
  std::vector<Done> WaitForTurn(const std::stop_token& stop);

  const std::function<absl::Status()> work_;
  std::mutex mu_;
  std::condition_variable_any wake_;
  // Guarded by mu_.
  Intervals intervals_;
  std::vector<Done> requests_;
  bool requested_ = false;
  bool stopped_ = false;
  std::optional<Clock::time_point> last_run_;  // its end; nullopt: none yet
  std::jthread thread_;
};

}  // namespace meridian
