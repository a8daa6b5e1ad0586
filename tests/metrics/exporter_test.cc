#include "metrics/exporter.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/metric_family.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace meridian {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using testing::HasSubstr;
using testing::Not;

std::string HttpGet(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) answer.append(buffer, n);
  close(fd);
  return answer;
}

// A registry in which every family has a sample.
void Fill(MetricsRegistry& registry) {
  const std::vector<std::string> shards = {"s1", "s2"};
  const std::vector<ShardSlot> slots = registry.SlotsFor(shards);
  for (int i = 0; i < 2; ++i) {
    WorkerMetrics& worker = registry.AddWorker();
    worker.clients_connected.Add(3);
    worker.CountQuery(QueryKind::kSelect, Outcome::kOk, 150);
    worker.CountQuery(QueryKind::kInsert, Outcome::kError, 70'000);
    worker.Shard(slots[1]).servers_idle.Add(2);
    worker.Shard(slots[1]).wait_us.Add(1'500'000);
    worker.pins[PinKind::kListen].Add();
    worker.epoch.Set(7 + i);
  }
  registry.process().catalog_epoch.Set(8);
}

TEST(MetricsExporter, ServesTheSumOverTheWorkers) {
  MetricsRegistry registry;
  Fill(registry);
  const auto exporter = MetricsExporter::Start(registry, "1.2.3", "127.0.0.1:0");
  ASSERT_TRUE(exporter.ok()) << exporter.status();
  const std::string text = HttpGet((*exporter)->port(), "/metrics");
  for (const char* line : {
           "meridian_build_info{version=\"1.2.3\"} 1\n",
           "meridian_clients_connected 6\n",
           "meridian_queries_total{kind=\"select\",outcome=\"ok\"} 2\n",
           "meridian_queries_total{kind=\"select\",outcome=\"error\"} 0\n",
           "meridian_servers_idle{shard=\"s2\"} 4\n",
           "meridian_servers_idle{shard=\"s1\"} 0\n",
           "meridian_shard_wait_seconds_total{shard=\"s2\"} 3\n",
           "meridian_pins_total{reason=\"listen\"} 2\n",
           "meridian_epoch 7\n",
           "meridian_catalog_epoch 8\n",
           "meridian_workers 2\n",
           "meridian_query_duration_seconds_bucket{kind=\"select\",le=\"0.000128\"} 0\n",
           "meridian_query_duration_seconds_bucket{kind=\"select\",le=\"0.000256\"} 2\n",
           "meridian_query_duration_seconds_bucket{kind=\"select\",le=\"+Inf\"} 2\n",
           "meridian_query_duration_seconds_count{kind=\"insert\"} 2\n",
           "meridian_query_duration_seconds_sum{kind=\"insert\"} 0.14",
           "# TYPE meridian_queries_total counter\n",
           "# TYPE meridian_clients_connected gauge\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("reason=\"none\"")));
}

TEST(MetricsExporter, SaysWhyItCannotListen) {
  MetricsRegistry registry;
  const auto first = MetricsExporter::Start(registry, "1", "127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  const std::string taken = "127.0.0.1:" + std::to_string((*first)->port());
  const auto second = MetricsExporter::Start(registry, "1", taken);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(second.status().message(),
            "cannot serve metrics on " + taken + ": Address already in use");

  for (const char* bad :
       {"", "9640", "localhost", "localhost:", ":9640", "localhost:port", "localhost:65536",
        "localhost:-1", "::1:9640", "[::1]:0", "no.such.host.invalid:1"}) {
    const auto exporter = MetricsExporter::Start(registry, "1", bad);
    ASSERT_FALSE(exporter.ok()) << bad;
    EXPECT_EQ(exporter.status().code(), absl::StatusCode::kInvalidArgument) << exporter.status();
  }
  for (const char* good : {"localhost:0", "*:0"}) {
    const auto exporter = MetricsExporter::Start(registry, "1", good);
    EXPECT_TRUE(exporter.ok()) << good << ": " << exporter.status();
  }
}

std::string TypeName(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
    default:
      return "?";
  }
}

// `name` -> `type, label, label`, of what is exported.
std::map<std::string, std::string> Exported() {
  MetricsRegistry registry;
  Fill(registry);
  registry.SetNodes([] {
    return std::vector<NodeMetrics>{{"s1", "h:1", "primary", true, 0, std::nullopt, std::nullopt},
                                    {"s1", "h:2", "replica", true, 9, 0.5, 700}};
  });
  std::map<std::string, std::string> metrics;
  for (const MetricFamily& family : CollectMetrics(registry, "1")) {
    EXPECT_FALSE(family.help.empty()) << family.name;
    EXPECT_FALSE(family.metric.empty()) << family.name;
    EXPECT_EQ(family.name.ends_with("_total"), family.type == MetricType::Counter) << family.name;
    std::string description = TypeName(family.type);
    if (family.metric.empty()) continue;
    for (const auto& label : family.metric.front().label) description += ", " + label.name;
    EXPECT_TRUE(metrics.emplace(family.name, description).second) << "twice: " << family.name;
  }
  return metrics;
}

// The same of docs/metrics.md, whose rows are | `name` | type | `label`, `label` | meaning |.
std::map<std::string, std::string> Documented() {
  std::ifstream file(MERIDIAN_SOURCE_DIR "/docs/metrics.md");
  EXPECT_TRUE(file.is_open());
  std::map<std::string, std::string> metrics;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `meridian_")) continue;
    std::erase(line, '`');
    std::istringstream cells(line.substr(2));
    std::string name, type, labels;
    std::getline(cells, name, '|');
    std::getline(cells, type, '|');
    std::getline(cells, labels, '|');
    const auto trim = [](const std::string& text) {
      const size_t begin = text.find_first_not_of(' ');
      return begin == std::string::npos
                 ? std::string()
                 : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
    };
    std::string description = trim(type);
    if (!trim(labels).empty()) description += ", " + trim(labels);
    EXPECT_TRUE(metrics.emplace(trim(name), description).second) << "twice: " << name;
  }
  return metrics;
}

TEST(MetricsDocumentation, ListsWhatIsExported) { EXPECT_EQ(Documented(), Exported()); }

}  // namespace
}  // namespace meridian
