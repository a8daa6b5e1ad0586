// The rows of a slice compared.
#include "rebalance/slice.h"

#include <fmt/format.h>

#include <future>

#include "rebalance/digest.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Of `meanwhile`.
constexpr milliseconds kBetweenCalls{500};

}  // namespace

// A second slot gives a snapshot of the source and the place in the stream to which it belongs;
// there the target has the same, or something has gone wrong.
absl::StatusOr<bool> Slice::Verify(absl::FunctionRef<absl::Status()> meanwhile) {
  const std::string name = CopyName() + "_verify";
  if (absl::Status none = ChangeStream::DropSlot(*source_, name); !none.ok()) return none;
  std::stop_source give_up;
  const std::stop_callback also(source_primary_.stop, [&] { give_up.request_stop(); });
  PgTarget source = source_primary_;
  PgTarget target = target_primary_;
  source.stop = target.stop = give_up.get_token();
  auto exporter = ChangeStream::Connect(source);
  if (!exporter.ok()) return exporter.status();
  auto made = std::async(std::launch::async, [&] { return exporter->CreateSlot(name); });
  // It takes until the transactions that are running have ended. Nothing is applied meanwhile: that
  // could be more than the snapshot shows.
  while (made.wait_for(kBetweenCalls) != std::future_status::ready) {
    absl::Status fine = stream_->KeepAlive();
    if (fine.ok()) fine = meanwhile();
    if (fine.ok()) continue;
    give_up.request_stop();
    made.wait();
    return fine;
  }
  const auto slot = made.get();
  if (!slot.ok()) return slot.status();
  auto at_source = OpenSnapshot(source, slot->snapshot);
  if (!at_source.ok()) return at_source.status();
  // So that a transaction behind the snapshot comes, whether anybody writes or not.
  if (absl::Status emitted = EmitBarrier(name); !emitted.ok()) return emitted;
  for (bool there = false; !there;) {
    const auto followed = follower_->UpTo(slot->start, steady_clock::now() + kBetweenCalls);
    if (!followed.ok()) return followed.status();
    there = *followed;
    if (absl::Status fine = meanwhile(); !fine.ok()) return fine;
  }
  if (ahead_until_ > slot->start) {
    absl::Status dropped = ChangeStream::DropSlot(*source_, name);
    if (!dropped.ok()) return dropped;
    return false;
  }
  auto at_target = OpenForRows(target);
  if (!at_target.ok()) return at_target.status();
  auto begun = at_target->Script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1");
  if (!begun.ok()) return begun.status();
  absl::Status same = CompareSnapshots(*at_source, *at_target, give_up, meanwhile);
  absl::Status dropped = ChangeStream::DropSlot(*source_, name);
  if (!same.ok()) return same;
  if (!dropped.ok()) return dropped;
  return true;
}

absl::Status Slice::CompareSnapshots(PgConnection& at_source, PgConnection& at_target,
                                     std::stop_source& give_up,
                                     absl::FunctionRef<absl::Status()> meanwhile) {
  constexpr uint32_t kBuckets = 256;
  for (const MovedTable& table : tables_) {
    const auto digest = [&table](PgConnection& shard) {
      return std::async(std::launch::async, [&] { return DigestRows(shard, table, kBuckets); });
    };
    auto a = digest(at_source);
    auto b = digest(at_target);
    absl::Status fine;
    while (a.wait_for(seconds(0)) != std::future_status::ready ||
           b.wait_for(seconds(0)) != std::future_status::ready) {
      if (!fine.ok()) {  // no digest is waited for that nobody needs
        give_up.request_stop();
        break;
      }
      auto followed = follower_->Until("", steady_clock::now() + milliseconds(50));
      fine = followed.ok() ? meanwhile() : followed.status();
    }
    const auto source_rows = a.get();
    const auto target_rows = b.get();
    if (!fine.ok()) return fine;
    if (!source_rows.ok()) return source_rows.status();
    if (!target_rows.ok()) return target_rows.status();
    const size_t differing = DifferingBuckets(*source_rows, *target_rows).size();
    if (differing == 0) continue;
    return SqlStatus(kRowsDiffer,
                     fmt::format("table {} is not the same on both shards: {} of {} parts differ",
                                 table.name.ToString(), differing, kBuckets),
                     "Something else than this move has written to the range at the target.");
  }
  return absl::OkStatus();
}

}  // namespace meridian
