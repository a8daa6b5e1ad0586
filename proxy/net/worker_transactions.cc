#include "proxy/net/worker_transactions.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <iterator>
#include <mutex>
#include <utility>

#include "proxy/admin/table_rows.h"
#include "proxy/net/worker.h"

namespace meridian {
namespace {

constexpr std::chrono::milliseconds kWorkerTimeout{500};

// What workers bring, also after nobody waits for it any more.
template <typename Part>
struct Collection {
  std::mutex mu;
  std::condition_variable complete;
  std::vector<Part> parts;
  size_t missing = 0;
};

// What each worker that answers in time has to say.
template <typename Part>
std::vector<Part> Ask(const std::vector<Worker*>& workers,
                      const std::function<Part(Worker&)>& question) {
  const auto collection = std::make_shared<Collection<Part>>();
  collection->missing = workers.size();
  for (Worker* const worker : workers) {
    worker->Post([worker, question, collection] {
      Part part = question(*worker);
      const std::lock_guard lock(collection->mu);
      collection->parts.push_back(std::move(part));
      if (--collection->missing == 0) collection->complete.notify_all();
    });
  }
  std::unique_lock lock(collection->mu);
  collection->complete.wait_for(lock, kWorkerTimeout, [&] { return collection->missing == 0; });
  return std::move(collection->parts);
}

// On the worker's thread.
std::vector<OpenTransaction> Of(Worker& worker, const Snapshot& snapshot) {
  std::vector<OpenTransaction> found;
  const uint64_t now_us = worker.NowUs();
  worker.ForEachClient([&](ClientConnection& client) {
    const Session* const session = client.session();
    if (session == nullptr || !session->transaction().open()) return;
    OpenTransaction one{.client_id = client.id(),
                        .began_us = session->transaction_began_us(),
                        .age_us = session->transaction_age_us(now_us),
                        .parts = {}};
    session->ForEachInTransaction([&](const Server& server, bool /*wrote*/) {
      const auto place = PlaceOf(server.pool.key(), snapshot);
      if (!place) return;
      one.parts.push_back({snapshot.map->shard(place->shard).name, server.backend_pid});
    });
    if (one.parts.size() > 1) found.push_back(std::move(one));
  });
  return found;
}

// On the worker's thread.
MapsInUse MapsOf(Worker& worker) {
  const ShardMap& map = worker.router().map();
  MapsInUse maps{map.epoch(), map.epoch(), {}};
  MovingSet busy = 0;
  worker.ForEachClient([&](ClientConnection& client) {
    if (client.session() == nullptr) return;
    if (const auto oldest = client.session()->OldestMapInUse()) {
      maps.oldest = std::min(maps.oldest, *oldest);
    }
    busy |= client.session()->MovingInUse();
  });
  for (const MovingRange& at : map.moving()) {
    const KeyRange& range = map.range(at);
    if ((busy & range.moving) != 0) maps.busy.insert(range.name);
  }
  return maps;
}

}  // namespace

std::vector<OpenTransaction> WorkerTransactions::OnSeveralShards() {
  const std::shared_ptr<const Snapshot> snapshot = current_();
  std::vector<OpenTransaction> all;
  for (auto& part : Ask<std::vector<OpenTransaction>>(
           workers_(), [snapshot](Worker& worker) { return Of(worker, *snapshot); })) {
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  return all;
}

RangeUseReport WorkerTransactions::TakeUse() {
  RangeUseReport all;
  for (const RangeUseReport& part :
       Ask<RangeUseReport>(workers_(), [](Worker& worker) { return worker.range_use().Take(); })) {
    all.Add(part);
  }
  return all;
}

std::optional<MapsInUse> WorkerTransactions::Maps() {
  const std::vector<Worker*> workers = workers_();
  // Before there are workers, nothing is under way.
  const Epoch now = current_()->map->epoch();
  MapsInUse all{now, now, {}};
  const std::vector<MapsInUse> parts = Ask<MapsInUse>(workers, MapsOf);
  if (parts.size() < workers.size()) return std::nullopt;
  for (const MapsInUse& part : parts) {
    all.epoch = std::min(all.epoch, part.epoch);
    all.oldest = std::min(all.oldest, part.oldest);
    all.busy.insert(part.busy.begin(), part.busy.end());
  }
  return all;
}

void WorkerTransactions::CancelDeadlocked(uint64_t client_id, uint64_t began_us,
                                          std::string detail) {
  for (Worker* const worker : workers_()) {
    worker->Post([worker, client_id, began_us, detail] {
      ClientConnection* const client = worker->FindClient(client_id);
      if (client != nullptr && client->session() != nullptr) {
        client->session()->CancelDeadlocked(began_us, detail);
      }
    });
  }
}

}  // namespace meridian
