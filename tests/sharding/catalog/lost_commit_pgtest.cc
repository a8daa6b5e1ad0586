// A network that fails at the very moment of COMMIT: the store must tell what happened.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "sharding/catalog/store.h"
#include "sharding/sql_status.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

enum class Cut { kNever, kBeforeCommit, kAfterCommit, kAfterCommitForGood };

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Passes bytes between a client and the server, one connection at a time, and cuts the line once
// when the client sends COMMIT: before the server gets it, or before the client gets the answer.
class CuttingProxy {
 public:
  explicit CuttingProxy(uint16_t server_port) : server_port_(server_port) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(0);
    socklen_t length = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, generic, length) != 0 || listen(listener_, 8) != 0 ||
        getsockname(listener_, generic, &length) != 0) {
      throw std::runtime_error("no listener");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  }
  ~CuttingProxy() {
    thread_.request_stop();
    thread_.join();
    close(listener_);
  }
  uint16_t port() const { return port_; }
  std::atomic<Cut> cut = Cut::kNever;

 private:
  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{listener_, POLLIN, 0};
      if (poll(&waiting, 1, 20) <= 0) continue;
      const int client = accept(listener_, nullptr, nullptr);
      const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = Loopback(server_port_);
      if (cut != Cut::kAfterCommitForGood || !was_cut_) {
        if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
          Pass(client, server, stop);
        }
      }
      close(client);
      close(server);
    }
  }

  void Pass(int client, int server, const std::stop_token& stop) {
    bool committed = false;
    while (!stop.stop_requested()) {
      pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (poll(both, 2, 20) <= 0) continue;
      for (int from = 0; from < 2; ++from) {
        if (both[from].revents == 0) continue;
        char buffer[65536];
        const ssize_t length = read(both[from].fd, buffer, sizeof(buffer));
        if (length <= 0 || (from == 1 && committed)) return;
        const std::string_view bytes(buffer, static_cast<size_t>(length));
        if (from == 0 && cut != Cut::kNever && bytes.find("COMMIT") != std::string_view::npos &&
            !was_cut_) {
          was_cut_ = true;
          if (cut == Cut::kBeforeCommit) return;
          committed = true;
        }
        if (write(both[1 - from].fd, buffer, bytes.size()) != length) return;
      }
    }
  }

  const uint16_t server_port_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> was_cut_ = false;
  std::jthread thread_;
};

class LostCommit : public testing::Test {
 protected:
  LostCommit() : direct_(Options(cluster_.port())), cut_off_(Options(proxy_.port())) {
    EXPECT_TRUE(direct_.Migrate().ok());
  }

  static CatalogOptions Options(uint16_t port) {
    CatalogOptions options;
    options.target.address = {"127.0.0.1", port};
    options.target.dbname = "postgres";
    options.target.user = "postgres";
    return options;
  }

  absl::StatusOr<std::shared_ptr<const ShardMap>> Change() {
    return cut_off_.Change({"me", "x"}, [this](MapDraft& draft) {
      ++edits_;
      draft.shards.push_back({fmt::format("s{}", edits_), {{"h", 1}}, ""});
      return absl::OkStatus();
    });
  }

  PgCluster cluster_;
  CuttingProxy proxy_{cluster_.port()};
  CatalogStore direct_, cut_off_;
  int edits_ = 0;
};

TEST_F(LostCommit, ThatHappenedIsASuccess) {
  proxy_.cut = Cut::kAfterCommit;
  auto map = Change();
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ((*map)->epoch(), Epoch{2});
  EXPECT_EQ(edits_, 1);
  EXPECT_EQ((*direct_.Load())->shards().size(), 1u);
}

TEST_F(LostCommit, ThatDidNotHappenIsToldSo) {
  proxy_.cut = Cut::kBeforeCommit;
  const auto map = Change();
  EXPECT_EQ(ToSqlError(map.status()).sqlstate, "08006");
  EXPECT_EQ(ToSqlError(map.status()).message,
            "the catalog was lost before the commit: nothing was changed");
  EXPECT_EQ(*direct_.LoadEpoch(), Epoch{1});
  auto again = Change();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->epoch(), Epoch{2});
}

// Nobody can know, so the change is neither repeated nor called failed.
TEST_F(LostCommit, ThatCannotBeLookedUpIsUnknown) {
  ASSERT_TRUE(cut_off_.Load().ok());
  proxy_.cut = Cut::kAfterCommitForGood;
  const auto map = Change();
  EXPECT_EQ(ToSqlError(map.status()).sqlstate, "08007");
  EXPECT_EQ(edits_, 1);
  EXPECT_EQ(*direct_.LoadEpoch(), Epoch{2});
}

}  // namespace
}  // namespace meridian
