// The Prometheus endpoint: GET /metrics answers with everything in a MetricsRegistry.
// docs/metrics.md lists the metrics; all are named meridian_*.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/registry.h"

namespace prometheus {
class Exposer;
struct MetricFamily;
}  // namespace prometheus

namespace meridian {

// The sum over the workers, as Prometheus families. Any thread; costs about a millisecond.
std::vector<prometheus::MetricFamily> CollectMetrics(const MetricsRegistry& registry,
                                                     std::string_view version);

// Serves while it lives, on two threads of its own.
class MetricsExporter {
 public:
  // `listen` is `host:port`, `[ipv6]:port` or `*:port`; port 0 takes a free one. `registry` must
  // outlive the exporter. InvalidArgument: `listen` is not of that form or the host is unknown;
  // Unavailable: the address cannot be bound, with the reason.
  static absl::StatusOr<std::unique_ptr<MetricsExporter>> Start(const MetricsRegistry& registry,
                                                                std::string_view version,
                                                                std::string_view listen);
  ~MetricsExporter();
  MetricsExporter(const MetricsExporter&) = delete;
  MetricsExporter& operator=(const MetricsExporter&) = delete;

  int port() const;

 private:
  class Source;
  MetricsExporter(std::shared_ptr<Source> source, std::unique_ptr<prometheus::Exposer> exposer);

  std::shared_ptr<Source> source_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace meridian
