// From the workers' cells to Prometheus families: a table for the plain cells, and a few loops for
// what is labelled.
#include <prometheus/metric_family.h>

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "metrics/exporter.h"
#include "metrics/metric_table.h"

namespace meridian {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

using W = WorkerMetrics;

class Families {
 public:
  // The family that the samples which follow belong to.
  void Begin(std::string_view name, std::string_view help, MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
  }
  void Sample(double value, Labels labels = {}) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    (families_.back().type == MetricType::Gauge ? metric.gauge.value : metric.counter.value) =
        value;
  }
  // Prometheus gets one bucket per power of two: a quarter of ours.
  void Sample(const HistogramTotals& totals, Labels labels = {}) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    metric.histogram.sample_count = totals.count;
    metric.histogram.sample_sum = static_cast<double>(totals.sum_us) * kSecondsPerMicrosecond;
    uint64_t cumulative = 0;
    for (size_t i = 0; i + 1 < HistogramBuckets::kCount; ++i) {
      cumulative += totals.buckets[i];
      if (i % HistogramBuckets::kSub != HistogramBuckets::kSub - 1) continue;
      const double bound =
          static_cast<double>(HistogramBuckets::UpperBound(i)) * kSecondsPerMicrosecond;
      metric.histogram.bucket.push_back({.cumulative_count = cumulative, .upper_bound = bound});
    }
    metric.histogram.bucket.push_back(
        {.cumulative_count = totals.count, .upper_bound = std::numeric_limits<double>::infinity()});
  }
  std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

using Workers = std::span<const WorkerMetrics* const>;

template <typename Owner>
void BeginFrom(Families& families, const Metric<Owner>& row) {
  families.Begin(row.name, row.help, row.gauge ? MetricType::Gauge : MetricType::Counter);
}

template <typename Read>
double SumOver(Workers workers, Read read) {
  double sum = 0;
  for (const WorkerMetrics* worker : workers) sum += static_cast<double>(read(*worker));
  return sum;
}

template <typename Select>
HistogramTotals TotalsOver(Workers workers, Select select) {
  HistogramTotals totals;
  for (const WorkerMetrics* worker : workers) select(*worker).AddTo(totals);
  return totals;
}

void AddQueries(Families& families, Workers workers) {
  families.Begin("meridian_queries_total", "Statements ended, by kind and outcome.",
                 MetricType::Counter);
  for (size_t kind = 0; kind < kQueryKindNames.size(); ++kind) {
    for (size_t outcome = 0; outcome < kOutcomeNames.size(); ++outcome) {
      families.Sample(
          SumOver(workers, [&](const W& w) { return w.queries[kind].cells[outcome].Get(); }),
          {{"kind", std::string(kQueryKindNames[kind])},
           {"outcome", std::string(kOutcomeNames[outcome])}});
    }
  }
  families.Begin("meridian_query_duration_seconds",
                 "From a statement's arrival to the last byte of its answer, by kind.",
                 MetricType::Histogram);
  for (size_t kind = 0; kind < kQueryKindNames.size(); ++kind) {
    families.Sample(TotalsOver(
                        workers, [&](const W& w) -> auto& { return w.latency.cells[kind]; }),
                    {{"kind", std::string(kQueryKindNames[kind])}});
  }
  families.Begin("meridian_wait_duration_seconds",
                 "How long clients waited for a server connection, when they had to.",
                 MetricType::Histogram);
  families.Sample(TotalsOver(
      workers, [](const W& w) -> auto& { return w.wait_time; }));
  families.Begin(
      "meridian_held_duration_seconds",
      "How long clients waited for a key range that changed its owner, when they had to.",
      MetricType::Histogram);
  families.Sample(TotalsOver(
      workers, [](const W& w) -> auto& { return w.held_time; }));
}

// One sample per label value, of a PerLabel member. `skip` leading values are never counted.
template <typename Member, size_t kSize>
void AddLabelled(Families& families, Workers workers, std::string_view label,
                 const std::array<std::string_view, kSize>& names, Member member, size_t skip = 0) {
  for (size_t i = skip; i < kSize; ++i) {
    families.Sample(SumOver(workers, [&](const W& w) { return (w.*member).cells[i].Get(); }),
                    {{std::string(label), std::string(names[i])}});
  }
}

void AddLabelledFamilies(Families& families, Workers workers) {
  families.Begin("meridian_logins_total", "Logins of clients, by outcome.", MetricType::Counter);
  families.Sample(SumOver(workers, [](const W& w) { return w.logins_ok.Get(); }),
                  {{"outcome", "ok"}});
  families.Sample(SumOver(workers, [](const W& w) { return w.logins_failed.Get(); }),
                  {{"outcome", "failed"}});
  families.Begin("meridian_routes_total", "Statements, by how they were routed.",
                 MetricType::Counter);
  AddLabelled(families, workers, "route", kRouteKindNames, &W::routes);
  families.Begin("meridian_pins_total",
                 "Times that a session was pinned to its server connection, by reason.",
                 MetricType::Counter);
  AddLabelled(families, workers, "reason", kPinKindNames, &W::pins, 1);
  families.Begin("meridian_pinned_sessions", "Sessions pinned to a server connection, by reason.",
                 MetricType::Gauge);
  AddLabelled(families, workers, "reason", kPinKindNames, &W::pinned_sessions, 1);
  families.Begin("meridian_reads_total",
                 "Reads that a replica could answer, by where they went or why not to one.",
                 MetricType::Counter);
  AddLabelled(families, workers, "place", kReadPlaceNames, &W::reads);
  families.Begin("meridian_cancels_total", "Cancel requests, by how they ended.",
                 MetricType::Counter);
  AddLabelled(families, workers, "outcome", kCancelOutcomeNames, &W::cancels);
}

void AddShards(Families& families, Workers workers, const std::vector<std::string>& names) {
  families.Begin("meridian_shard_statements_total",
                 "Statements that the shard executed, by outcome.", MetricType::Counter);
  for (size_t slot = 0; slot < names.size(); ++slot) {
    for (const Outcome outcome :
         {Outcome::kOk, Outcome::kError}) {  // no shard sees what is refused
      families.Sample(
          SumOver(workers, [&](const W& w) { return w.shards[slot].statements[outcome].Get(); }),
          {{"shard", names[slot]},
           {"outcome", std::string(kOutcomeNames[static_cast<size_t>(outcome)])}});
    }
  }
  for (const Metric<ShardMetrics>& row : ShardMetricTable()) {
    BeginFrom(families, row);
    for (size_t slot = 0; slot < names.size(); ++slot) {
      families.Sample(SumOver(workers, [&](const W& w) { return row.read(w.shards[slot]); }),
                      {{"shard", names[slot]}});
    }
  }
}

void AddNodes(Families& families, const std::vector<NodeMetrics>& nodes) {
  const auto add = [&](std::string_view name, std::string_view help, auto value_of) {
    families.Begin(name, help, MetricType::Gauge);
    for (const NodeMetrics& node : nodes) {
      const std::optional<double> value = value_of(node);
      if (!value) continue;
      families.Sample(*value, {{"shard", node.shard}, {"node", node.node}, {"role", node.role}});
    }
  };
  add("meridian_node_used", "1 for a node that statements are sent to, otherwise 0.",
      [](const NodeMetrics& node) { return std::optional<double>(node.used ? 1 : 0); });
  families.Begin("meridian_node_reads_total", "Reads that went to the node as a replica.",
                 MetricType::Counter);
  for (const NodeMetrics& node : nodes) {
    families.Sample(static_cast<double>(node.reads), {{"shard", node.shard}, {"node", node.node}});
  }
  add("meridian_node_lag_seconds", "How long a replica is behind its primary, where it is known.",
      [](const NodeMetrics& node) { return node.lag_seconds; });
  add("meridian_node_lag_bytes", "How many bytes of the log a replica has not replayed yet.",
      [](const NodeMetrics& node) {
        return node.lag_bytes ? std::optional<double>(static_cast<double>(*node.lag_bytes))
                              : std::nullopt;
      });
}

}  // namespace

std::vector<MetricFamily> CollectMetrics(const MetricsRegistry& registry,
                                         std::string_view version) {
  std::vector<const WorkerMetrics*> list;  // they live as long as the registry
  registry.ForEachWorker([&](const WorkerMetrics& worker) { list.push_back(&worker); });
  const Workers workers(list);

  Families families;
  families.Begin("meridian_build_info", "Always 1; the label tells the version.",
                 MetricType::Gauge);
  families.Sample(1, {{"version", std::string(version)}});
  for (const Metric<ProcessMetrics>& row : ProcessMetricTable()) {
    BeginFrom(families, row);
    families.Sample(row.read(registry.process()));
  }
  families.Begin("meridian_workers", "Worker threads.", MetricType::Gauge);
  families.Sample(static_cast<double>(workers.size()));
  families.Begin("meridian_epoch", "The oldest epoch that a worker uses.", MetricType::Gauge);
  int64_t epoch = list.empty() ? 0 : std::numeric_limits<int64_t>::max();
  for (const WorkerMetrics* worker : workers) epoch = std::min(epoch, worker->epoch.Get());
  families.Sample(static_cast<double>(epoch));
  for (const Metric<W>& row : WorkerMetricTable()) {
    BeginFrom(families, row);
    families.Sample(SumOver(workers, row.read));
  }
  AddLabelledFamilies(families, workers);
  AddQueries(families, workers);
  AddShards(families, workers, registry.SlotNames());
  AddNodes(families, registry.Nodes());
  return families.Take();
}

}  // namespace meridian
