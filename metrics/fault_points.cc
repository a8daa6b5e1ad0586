#include "metrics/fault_points.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "metrics/log.h"

namespace meridian {
namespace {

constexpr std::chrono::milliseconds kPausePoll{5};

enum class Action { kNone, kKill, kPause, kFail };

// As in Action, from kKill on.
constexpr std::string_view kActions[] = {"kill", "pause", "fail"};

using Actions = std::map<std::string, Action, std::less<>>;

std::atomic<bool> any_set{false};
std::mutex mu;
// Guarded by mu. Never destroyed: threads may outlive main's statics.
Actions& Points() {
  static auto* const points = new Actions;
  return *points;
}

Action ActionOf(std::string_view point) {
  const std::lock_guard lock(mu);
  const auto found = Points().find(point);
  return found == Points().end() ? Action::kNone : found->second;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

absl::Status Parse(std::string_view text, Actions* points) {
  for (text = Trim(text); !text.empty();) {
    const std::string_view entry = Trim(text.substr(0, text.find(',')));
    text = text.find(',') == std::string_view::npos ? "" : text.substr(text.find(',') + 1);
    const std::string_view point = Trim(entry.substr(0, entry.find('=')));
    const std::string_view action =
        entry.find('=') == std::string_view::npos ? "" : Trim(entry.substr(entry.find('=') + 1));
    if (std::find(kFaultPoints.begin(), kFaultPoints.end(), point) == kFaultPoints.end()) {
      return absl::InvalidArgumentError(fmt::format("there is no fault point \"{}\"", point));
    }
    const auto known = std::find(std::begin(kActions), std::end(kActions), action);
    if (known == std::end(kActions) || (action == "fail" && !point.starts_with("move."))) {
      return absl::InvalidArgumentError(
          fmt::format("fault point \"{}\": \"{}\" is neither kill nor pause, nor fail of a move",
                      point, action));
    }
    (*points)[std::string(point)] = static_cast<Action>(known - std::begin(kActions) + 1);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFaultPoints(std::string_view text) {
  Actions points;
  return Parse(text, &points);
}

void SetFaultPoints(std::string_view text) {
  Actions points;
  Parse(text, &points).IgnoreError();
  any_set = !points.empty();
  const std::lock_guard lock(mu);
  Points() = std::move(points);
}

bool FaultPoint(std::string_view point) {
  if (!any_set.load(std::memory_order_relaxed)) return false;
  Action action = ActionOf(point);
  if (action == Action::kPause) LogWarning("paused at a fault point", {{"point", point}});
  while (action == Action::kPause) {
    std::this_thread::sleep_for(kPausePoll);
    action = ActionOf(point);
  }
  if (action == Action::kKill) kill(getpid(), SIGKILL);
  return action == Action::kFail;
}

}  // namespace meridian
