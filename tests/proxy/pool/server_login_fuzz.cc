// A hostile server: any bytes at any point of a login, and from a connection that serves nobody.
// The input's first byte chooses the credentials, its second how the rest is cut.
#include <cstdlib>

#include "proxy/pool/server_pools.h"
#include "proxy/wire/message_writer.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace meridian;

class Host : public PoolHost {
 public:
  void Connect(Server& server, const NodeAddress&) override { open = &server; }
  void Flush(Server&) override {}
  void Disconnect(Server&) override { open = nullptr; }
  void DeriveKeys(uint64_t server_id, std::string, std::string, int) override { asked = server_id; }
  uint64_t NowUs() override { return 1; }
  Server* open = nullptr;
  uint64_t asked = 0;
};

class Session : public PoolClient, public ServerOwner {
 public:
  void OnServer(Server& given) override {
    server = &given;
    server->owner = this;
  }
  void OnServerFailed(const absl::Status& status) override {
    if (ToSqlError(status).sqlstate.size() != 5) std::abort();
  }
  void OnServerBytes(Server&, std::string_view) override {}
  void OnServerClosed(Server&, const SqlError&) override { server = nullptr; }
  Server* server = nullptr;
};

const ScramKeys& Keys() {
  static const ScramKeys keys = DeriveKeys("pencil", "salt", 1).value();
  return keys;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string_view input(reinterpret_cast<const char*>(data + 2), size - 2);
  const size_t read_size = data[1] == 0 ? input.size() + 1 : data[1];
  SettingsRegistry settings;
  PoolBudgets budgets(1);
  Host host;
  ShardMetrics metrics;
  Session session;
  ServerPools pools(host, budgets, settings, {});
  Pool& pool = pools.Get({{"/run", 5432}, "shop", "ann"}, metrics);
  ServerCredentials credentials;
  if (data[0] & 1) credentials.keys = Keys();
  if (data[0] & 2) credentials.password = "pencil";
  pools.SetCredentials(pool, credentials);
  (void)pools.Acquire(pool, session);
  Server* server = host.open;
  pools.OnConnected(*server);
  while (!input.empty()) {
    pools.OnServerBytes(*server, input.substr(0, read_size));
    input.remove_prefix(std::min(read_size, input.size()));
    if (host.asked != 0) pools.OnKeys(std::exchange(host.asked, 0), Keys());
    server->out.Clear();
    if (session.server != nullptr) {
      // The rest comes while it is cleaned, or idle.
      session.server = nullptr;
      pools.Return(*server, data[0] & 4 ? Release::kReset : Release::kClean);
    }
  }
  if (host.open != nullptr) pools.OnServerClosed(*server, "end");
  const PoolStats stats = pool.Stats(1);
  if (stats.active + stats.idle + stats.login > 1) std::abort();
  pools.CloseAll();
  pools.OnTick();
  if (metrics.servers_idle.Get() != 0 || metrics.servers_active.Get() != 0 ||
      metrics.servers_login.Get() != 0 || budgets.Of(pool.key().ToString()).used() != 0) {
    std::abort();
  }
  return 0;
}

std::vector<std::string> FuzzSeeds() {
  using std::string_literals::operator""s;
  std::string login, scram, md5, cleaned;
  wire::AppendAuthentication(login, wire::kAuthOk);
  wire::AppendParameterStatus(login, "server_version", "15");
  wire::AppendBackendKeyData(login, 1, "abcd");
  wire::AppendReadyForQuery(login, wire::kIdle);
  wire::AppendTextRowDescription(login, {"current_setting"});
  wire::AppendTextDataRow(login, {"public"});
  wire::AppendCommandComplete(login, "SELECT 1");
  wire::AppendReadyForQuery(login, wire::kIdle);
  wire::AppendAuthentication(scram, wire::kAuthSasl, "SCRAM-SHA-256\0\0"s);
  wire::AppendAuthentication(scram, wire::kAuthSaslContinue, "r=x,s=c2FsdA==,i=1");
  wire::AppendAuthentication(scram, wire::kAuthSaslFinal, "v=AAAA");
  wire::AppendAuthentication(md5, wire::kAuthMd5Password, "salt");
  wire::AppendCommandComplete(cleaned, "DISCARD ALL");
  wire::AppendReadyForQuery(cleaned, wire::kIdle);
  wire::AppendError(cleaned, wire::Severity::kFatal, {"57P01", "bye", "", "", 0});
  const std::string split_at_end = "\4"s + static_cast<char>(login.size());
  return {"\0\0"s + login, "\0\1"s + login,       "\1\0"s + scram,
          "\2\7"s + scram, "\2\0"s + md5 + login, split_at_end + login + cleaned};
}
