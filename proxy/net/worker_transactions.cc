#include "proxy/net/worker_transactions.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "proxy/admin/table_rows.h"
#include "proxy/net/worker.h"

namespace meridian {
namespace {

constexpr std::chrono::milliseconds kWorkerTimeout{500};

// What workers bring, also after nobody waits for it any more.
struct Collection {
  std::mutex mu;
  std::condition_variable complete;
  std::vector<OpenTransaction> transactions;
  size_t missing = 0;
};

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

}  // namespace

std::vector<OpenTransaction> WorkerTransactions::OnSeveralShards() {
  const std::vector<Worker*> workers = workers_();
  const std::shared_ptr<const Snapshot> snapshot = current_();
  const auto collection = std::make_shared<Collection>();
  collection->missing = workers.size();
  for (Worker* const worker : workers) {
    worker->Post([worker, snapshot, collection] {
      std::vector<OpenTransaction> found = Of(*worker, *snapshot);
      const std::lock_guard lock(collection->mu);
      for (OpenTransaction& one : found) collection->transactions.push_back(std::move(one));
      if (--collection->missing == 0) collection->complete.notify_all();
    });
  }
  std::unique_lock lock(collection->mu);
  collection->complete.wait_for(lock, kWorkerTimeout, [&] { return collection->missing == 0; });
  return std::move(collection->transactions);
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
