#include "rebalance/stream/follower.h"

#include <algorithm>
#include <utility>

namespace meridian {
namespace {

using Clock = std::chrono::steady_clock;

// How long what was read may wait for more to be applied with it.
constexpr std::chrono::milliseconds kBatchWait{5};

}  // namespace

absl::StatusOr<bool> Follower::UpTo(Lsn position, Clock::time_point deadline) {
  if (absl::Status gone_on = GoOn(); !gone_on.ok()) return gone_on;
  stop_at_ = position;
  while (next_.empty() && Clock::now() < deadline) {
    if (absl::Status taken = Step(kBatchWait); !taken.ok()) return taken;
  }
  stop_at_ = 0;
  if (next_.empty()) return false;
  if (absl::Status flushed = applier_.Flush(); !flushed.ok()) return flushed;
  return true;
}

// Takes the message in front of which UpTo has stopped.
absl::Status Follower::GoOn() {
  if (next_.empty()) return absl::OkStatus();
  return Take(std::exchange(next_, {}));
}

absl::StatusOr<bool> Follower::Until(std::string_view barrier, Clock::time_point deadline) {
  if (absl::Status gone_on = GoOn(); !gone_on.ok()) return gone_on;
  for (;;) {
    if (!barrier.empty() && passed_ == barrier) {
      if (absl::Status flushed = applier_.Flush(); !flushed.ok()) return flushed;
      if (absl::Status told = stream_.Confirm(applier_.applied()); !told.ok()) return told;
      return true;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const auto wait = std::clamp(left, std::chrono::milliseconds(0), kBatchWait);
    if (absl::Status taken = Step(wait); !taken.ok()) return taken;
    if (Clock::now() >= deadline) return false;
  }
}

absl::Status Follower::Step(std::chrono::milliseconds wait) {
  const auto came = stream_.Next(wait, [this](std::string_view bytes) { return Take(bytes); });
  if (!came.ok()) return came.status();
  if (*came || applier_.in_transaction()) return stream_.Confirm(applier_.applied());
  if (absl::Status flushed = applier_.Flush(); !flushed.ok()) return flushed;
  // All that was sent is applied, and what is not sent was nothing for this stream.
  return stream_.Confirm(stream_.server_end());
}

absl::Status Follower::Take(std::string_view bytes) {
  const auto event = pgoutput::Read(bytes);
  if (!event.ok()) return event.status();
  if (const auto* begin = std::get_if<pgoutput::Begin>(&*event);
      begin != nullptr && stop_at_ != 0 && begin->commit_lsn >= stop_at_) {
    next_ = bytes;
    return absl::OkStatus();
  }
  if (const auto* message = std::get_if<pgoutput::Message>(&*event)) {
    if (message->transactional && message->prefix == kMessagePrefix) met_ = message->content;
  } else if (std::holds_alternative<pgoutput::Commit>(*event) && !met_.empty()) {
    passed_ = std::exchange(met_, {});
  }
  return applier_.Apply(*event);
}

}  // namespace meridian
