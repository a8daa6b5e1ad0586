#include "proxy/control/map_lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "metrics/log.h"
#include "sharding/catalog/migrate.h"
#include "sharding/catalog/text_array.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kRenewal{1'000};
// While something under way still uses an older map: whoever waits for it may hold up clients.
// Later looks are further apart, as each takes a moment of every worker.
constexpr milliseconds kSoon{3};
constexpr int kLooks = 10;  // in the time since the map changed

uint64_t Microseconds(steady_clock::time_point time) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

std::string Number(Epoch epoch) { return std::to_string(epoch.value); }

bool Same(const MapsInUse& a, const MapsInUse& b) {
  return a.epoch == b.epoch && a.oldest == b.oldest && a.busy == b.busy;
}

}  // namespace

MapLease::MapLease(CatalogOptions catalog, std::string proxy, OpenTransactions& transactions,
                   std::function<Epoch()> current, std::function<void()> on_tried)
    : catalog_(std::move(catalog)),
      proxy_(std::move(proxy)),
      transactions_(transactions),
      current_(std::move(current)),
      on_tried_(std::move(on_tried)),
      use_(transactions_, proxy_) {
  catalog_.target.connect_timeout = std::min(catalog_.target.connect_timeout, kTimeout);
  catalog_.target.statement_timeout = kTimeout;
}

MapLease::~MapLease() { Stop(); }

void MapLease::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void MapLease::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  until_us_ = 0;
  if (connection_ && !connection_->broken()) {
    connection_->Query("DELETE FROM proxies WHERE proxy = $1", {{proxy_}}).IgnoreError();
  }
  connection_.reset();
}

void MapLease::OnMap() {
  const std::lock_guard lock(mu_);
  ++maps_;
  wake_.notify_all();
}

absl::StatusOr<PgConnection*> MapLease::Connected() {
  if (connection_ && !connection_->broken()) return &*connection_;
  connection_.reset();
  auto connection = PgConnection::Connect(catalog_.target);
  if (!connection.ok()) return connection.status();
  absl::Status ready = PrepareCatalogSession(*connection, catalog_.schema);
  if (!ready.ok()) return ready;
  connection_.emplace(*std::move(connection));
  return &*connection_;
}

// Durable, so that nobody moves a range without this proxy's knowledge. What has been announced
// until now is in the map of `needed_`.
absl::Status MapLease::Register() {
  const std::string now = Number(current_());
  auto inserted = connection_->Query(
      "INSERT INTO proxies (proxy, lease_until, epoch, in_use, busy)"
      " VALUES ($1, now() + $2::interval, $3, $3, '{}')"
      " ON CONFLICT (proxy) DO UPDATE SET lease_until = EXCLUDED.lease_until",
      {{proxy_}, {fmt::format("{} ms", kLease.count())}, {now}});
  if (!inserted.ok()) return inserted.status();
  auto epoch = connection_->Query("SELECT epoch FROM epoch");
  if (!epoch.ok()) return epoch.status();
  const std::string text = epoch->rows() == 1 ? epoch->Text(0, 0) : "0";
  std::from_chars(text.data(), text.data() + text.size(), needed_.value);
  // What follows may be lost in a crash of the catalog: then others wait for longer.
  auto set = connection_->Query("SET synchronous_commit = off");
  registered_ = set.ok();
  told_.reset();
  return set.status();
}

absl::Status MapLease::Tell(const MapsInUse& maps) {
  const auto sent = steady_clock::now();
  auto told = connection_->Query(
      "UPDATE proxies SET lease_until = now() + $2::interval, epoch = $3, in_use = $4, busy = $5"
      " WHERE proxy = $1",
      {{proxy_},
       {fmt::format("{} ms", kLease.count())},
       {Number(maps.epoch)},
       {Number(maps.oldest)},
       {FormatTextArray({maps.busy.begin(), maps.busy.end()})}});
  if (!told.ok()) return told.status();
  if (told->affected() == 0) {
    // It was taken for dead: what has been announced since may have passed it by.
    registered_ = false;
    until_us_ = 0;
    return absl::OkStatus();
  }
  told_ = maps;
  told_at_ = sent;
  if (maps.epoch >= needed_) until_us_ = Microseconds(sent + kLease - kMargin);
  return absl::OkStatus();
}

absl::StatusOr<bool> MapLease::Round() {
  auto connection = Connected();
  if (!connection.ok()) {
    registered_ = false;
    return connection.status();
  }
  if (!registered_) {
    if (absl::Status registered = Register(); !registered.ok()) return registered;
  }
  const std::optional<MapsInUse> maps = transactions_.Maps();
  if (!maps) return true;
  const bool due = !told_ || steady_clock::now() - told_at_ >= kRenewal;
  if (due || !Same(*told_, *maps)) {
    if (absl::Status told = Tell(*maps); !told.ok()) return told;
  }
  if (registered_) use_.Tell(**connection).IgnoreError();  // nothing depends on it
  return !registered_ || maps->oldest < maps->epoch || maps->epoch < current_() ||
         maps->epoch < needed_ || !maps->busy.empty();
}

void MapLease::Run(const std::stop_token& stop) {
  std::string last_error;
  uint64_t seen = 0;
  auto changed = steady_clock::now();
  while (!stop.stop_requested()) {
    {
      const std::lock_guard lock(mu_);
      if (std::exchange(seen, maps_) != maps_) changed = steady_clock::now();
    }
    const absl::StatusOr<bool> soon = Round();
    if (stop.stop_requested()) break;
    const std::string error = soon.ok() ? "" : ToSqlError(soon.status()).message;
    if (error != last_error && !error.empty()) {
      LogWarning(
          "the catalog cannot be told which shard map this proxy uses: ranges that move are "
          "not served until it can",
          {{"error", error}});
    }
    last_error = error;
    if (!tried_ && (!soon.ok() || current_() >= needed_)) {
      tried_ = true;
      on_tried_();
    }
    const auto since = std::chrono::duration_cast<milliseconds>(steady_clock::now() - changed);
    const milliseconds wait =
        soon.ok() && *soon ? std::clamp(since / kLooks, kSoon, kRenewal / 2) : kRenewal / 2;
    std::unique_lock lock(mu_);
    wake_.wait_for(lock, stop, wait, [&] { return maps_ != seen; });
  }
}

}  // namespace meridian
