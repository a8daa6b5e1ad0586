#include "metrics/exporter.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include <fmt/format.h>

namespace meridian {
namespace {

struct HostAndPort {
  std::string host;  // empty: every address
  std::string port;
};

absl::StatusOr<HostAndPort> SplitListen(std::string_view listen) {
  const absl::Status bad = absl::InvalidArgumentError(
      fmt::format("metrics address \"{}\" is not of the form host:port", listen));
  const size_t colon = listen.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::string_view host = listen.substr(0, colon);
  const std::string_view port = listen.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad;
  }
  const bool digits =
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (host.empty() || port.empty() || port.size() > 5 || !digits ||
      std::stoi(std::string(port)) > 65535) {
    return bad;
  }
  return HostAndPort{host == "*" ? "" : std::string(host), std::string(port)};
}

// Why this address cannot be listened on: 0 if it can. The HTTP server itself does not tell.
int ProbeBind(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int error = 0;
  if (bind(fd, address.ai_addr, address.ai_addrlen) != 0 || ::listen(fd, 1) != 0) error = errno;
  close(fd);
  return error;
}

std::string NumericAddress(const addrinfo& address, const std::string& port) {
  char host[NI_MAXHOST];
  if (getnameinfo(address.ai_addr, address.ai_addrlen, host, sizeof host, nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    return {};
  }
  return fmt::format("{}:{}", host, port);
}

// The addresses in the form that the HTTP server takes: numeric, separated by commas. IPv4 only:
// the server (civetweb in Debian 12) takes no other, and "localhost" often stands for ::1, too.
absl::StatusOr<std::string> BindableAddresses(std::string_view listen) {
  absl::StatusOr<HostAndPort> target = SplitListen(listen);
  if (!target.ok()) return target.status();
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* host = target->host.empty() ? nullptr : target->host.c_str();
  if (const int error = getaddrinfo(host, target->port.c_str(), &hints, &found); error != 0) {
    return absl::InvalidArgumentError(
        fmt::format("metrics address \"{}\": no IPv4 address: {}", listen, gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  std::string addresses;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const int error = ProbeBind(*address);
    if (error == EADDRNOTAVAIL) continue;
    const std::string text = NumericAddress(*address, target->port);
    if (error != 0) {
      return absl::UnavailableError(
          fmt::format("cannot serve metrics on {}: {}", text, std::strerror(error)));
    }
    // A hosts file that gives "localhost" both families gives the IPv4 address twice.
    if (addresses.find(text) != std::string::npos) continue;
    if (!addresses.empty()) addresses += ',';
    addresses += text;
    if (target->port == "0") break;  // two addresses would get two ports
  }
  if (addresses.empty()) {
    return absl::UnavailableError(
        fmt::format("cannot serve metrics on {}: {}", listen, std::strerror(EADDRNOTAVAIL)));
  }
  return addresses;
}

}  // namespace

class MetricsExporter::Source : public prometheus::Collectable {
 public:
  Source(const MetricsRegistry& registry, std::string_view version)
      : registry_(registry), version_(version) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    return CollectMetrics(registry_, version_);
  }

 private:
  const MetricsRegistry& registry_;
  const std::string version_;
};

MetricsExporter::MetricsExporter(std::shared_ptr<Source> source,
                                 std::unique_ptr<prometheus::Exposer> exposer)
    : source_(std::move(source)), exposer_(std::move(exposer)) {}

MetricsExporter::~MetricsExporter() = default;

absl::StatusOr<std::unique_ptr<MetricsExporter>> MetricsExporter::Start(
    const MetricsRegistry& registry, std::string_view version, std::string_view listen) {
  const absl::StatusOr<std::string> addresses = BindableAddresses(listen);
  if (!addresses.ok()) return addresses.status();
  try {  // the library throws
    auto source = std::make_shared<Source>(registry, version);
    auto exposer = std::make_unique<prometheus::Exposer>(*addresses, 2);
    exposer->RegisterCollectable(source);
    return std::unique_ptr<MetricsExporter>(
        new MetricsExporter(std::move(source), std::move(exposer)));
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        fmt::format("cannot serve metrics on {}: {}", *addresses, error.what()));
  }
}

int MetricsExporter::port() const {
  const std::vector<int> ports = exposer_->GetListeningPorts();
  return ports.empty() ? 0 : ports.front();
}

}  // namespace meridian
