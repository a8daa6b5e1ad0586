// The table itself. Its texts are those of docs/configuration.md (a test compares the two) and of
// SHOW SETTINGS.
#include "proxy/config/setting_table.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace meridian {
namespace {

using enum SettingFlags;

constexpr int64_t kSecond = 1'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kDay = 24 * 60 * kMinute;
constexpr SettingLimits kOnOrOff = {0, 365 * kDay};  // 0 is off
constexpr SettingLimits kWait = {100, kDay};
constexpr SettingLimits kPoll = {100, 10 * kMinute};
constexpr SettingLimits kMoverLease = {0, 10 * kMinute};  // 0 is off
constexpr SettingLimits kStaleness = {1, kDay};
constexpr SettingLimits kPort = {1, 65'535};
constexpr SettingLimits kPoolSize = {1, 10'000};

// kPath leads to the member: &Config::log, &LogConfig::level.
template <auto... kPath>
constexpr auto& Member(auto& owner) {
  // clang-format off
  return (owner .* ... .* kPath);
  // clang-format on
}

template <typename Owner, auto... kPath>
constexpr Setting<Owner> RowOf(std::string_view name, SettingFlags flags,
                               std::string_view description, SettingLimits limits,
                               std::string_view default_words) {
  return {
      .name = name,
      .flags = flags,
      .description = description,
      .default_words = default_words,
      .limits = limits,
      .read = [](const SettingInput& input, const SettingLimits& l,
                 Owner& owner) { return ReadSetting(input, l, Member<kPath...>(owner)); },
      .format = [](const Owner& owner) { return FormatSetting(Member<kPath...>(owner)); },
      .type =
          [](const SettingLimits& l) {
            const Owner owner{};
            return TypeOfSetting(l, Member<kPath...>(owner));
          },
      .same = [](const Owner& a,
                 const Owner& b) { return Member<kPath...>(a) == Member<kPath...>(b); },
      .copy = [](Owner& to, const Owner& from) { Member<kPath...>(to) = Member<kPath...>(from); },
  };
}

template <auto... kPath>
constexpr auto Row(std::string_view name, SettingFlags flags, std::string_view description,
                   SettingLimits limits = {}, std::string_view default_words = {}) {
  return RowOf<Config, kPath...>(name, flags, description, limits, default_words);
}

using C = Config;

const Setting<Config> kConfigSettings[] = {
    // Where clients connect.
    Row<&C::listen_hosts>("listen_hosts", kNone,
                          "Host names or addresses to listen on for TCP connections; `*` is every "
                          "address, an empty list is no TCP."),
    Row<&C::listen_port>("listen_port", kNone,
                         "TCP port, and the number in the name of the unix socket.", kPort),
    Row<&C::unix_socket_dir>("unix_socket_dir", kNone,
                             "Directory of the unix socket `.s.PGSQL.<listen_port>`; an empty text "
                             "is no unix socket."),
    Row<&C::workers>("workers", kNone, "Worker threads; 0 is one per CPU core.", {0, 1'024}),
    // Clients.
    Row<&C::max_client_connections>("max_client_connections", kReloadable,
                                    "Client connections of all databases together; further ones "
                                    "are refused with SQLSTATE 53300, except cancel requests and "
                                    "the admin database.",
                                    {1, 1'000'000}),
    Row<&C::login_timeout>("login_timeout", kReloadable,
                           "From accepting a client's connection to the end of its login.", kWait),
    Row<&C::client_idle_timeout>("client_idle_timeout", kReloadable,
                                 "A client that is idle for so long is disconnected (57P05); 0 is "
                                 "never.",
                                 kOnOrOff),
    Row<&C::drain_timeout>("drain_timeout", kReloadable,
                           "How long a shutdown waits for transactions to end.", {0, kDay}),
    Row<&C::max_message_size>("max_message_size", kReloadable,
                              "The largest protocol message taken from a client.",
                              {64 << 10, int64_t{1} << 30}),
    // More would let one deeply nested expression overflow a worker's stack.
    Row<&C::max_statement_size>("max_statement_size", kNone,
                                "The longest statement that is parsed; a longer one can only go to "
                                "a shard that the session has named.",
                                {1 << 10, 64 << 10}),
    // Pools.
    Row<&C::pool_mode>("pool_mode", kNone,
                       "When a server connection goes back to its pool: at the end of the "
                       "`transaction` or of the `session`."),
    Row<&C::pool_size>("pool_size", kReloadable, "Server connections per node, database and user.",
                       kPoolSize),
    Row<&C::queue_timeout>("queue_timeout", kReloadable,
                           "How long a client waits for a server connection before it gets an "
                           "error; 0 is forever.",
                           kOnOrOff),
    Row<&C::connect_timeout>("connect_timeout", kReloadable,
                             "From opening a server connection to the end of its login.", kWait),
    Row<&C::failover_timeout>("failover_timeout", kReloadable,
                              "How long a statement waits for a primary that cannot be connected "
                              "to, or for another to take its place; 0 is not at all.",
                              kOnOrOff),
    Row<&C::server_idle_timeout>("server_idle_timeout", kReloadable,
                                 "A server connection that is idle for so long is closed; 0 is "
                                 "never.",
                                 kOnOrOff),
    Row<&C::server_lifetime>("server_lifetime", kReloadable,
                             "A server connection older than this is closed when it becomes idle; "
                             "0 is never.",
                             kOnOrOff),
    // Reads from replicas.
    Row<&C::replicas, &ReplicaConfig::read_consistency>(
        "replicas.read_consistency", kNone,
        "Which replicas may serve reads, for sessions that do not set `meridian.read_consistency`; "
        "see docs/replicas.md."),
    Row<&C::replicas, &ReplicaConfig::max_staleness>(
        "replicas.max_staleness", kNone,
        "With `bounded`: how old what a replica shows may be, for sessions that do not set "
        "`meridian.max_staleness`.",
        kStaleness),
    Row<&C::replicas, &ReplicaConfig::max_lag>(
        "replicas.max_lag", kReloadable,
        "A replica that is further behind its primary is not read from, until it is less than half "
        "of this behind.",
        kWait),
    Row<&C::replicas, &ReplicaConfig::wait>(
        "replicas.wait", kReloadable,
        "How long a read waits for a replica that has what its session must find, before it goes "
        "to the primary; 0 is not at all.",
        {0, kMinute}),
    Row<&C::replicas, &ReplicaConfig::zone>("replicas.zone", kReloadable,
                                            "Zone of this proxy: replicas of the same `node.zone` "
                                            "are read from before others; an empty "
                                            "text prefers none."),
    // Logging in, on both sides.
    Row<&C::auth, &AuthConfig::tcp>("auth.tcp", kReloadable,
                                    "How clients that connect by TCP prove who they are."),
    Row<&C::auth, &AuthConfig::unix_socket>(
        "auth.unix", kReloadable,
        "How clients that connect by the unix socket prove who they are."),
    Row<&C::server, &ServerConfig::password_file>(
        "server.password_file", kReloadable,
        "File of passwords for logging in to nodes, in the format of PostgreSQL's `.pgpass`, mode "
        "0600. Without a matching line the client's own SCRAM keys are used."),
    // The catalog, and the control connections to the nodes.
    Row<&C::catalog, &CatalogConfig::host>(
        "catalog.host", kNone, "Host of the PostgreSQL database that holds the schema `meridian`."),
    Row<&C::catalog, &CatalogConfig::port>("catalog.port", kNone, "Its port.", kPort),
    Row<&C::catalog, &CatalogConfig::dbname>("catalog.dbname", kRequired, "Its database."),
    Row<&C::catalog, &CatalogConfig::user>("catalog.user", kNone, "The role that owns the schema."),
    Row<&C::catalog, &CatalogConfig::password>("catalog.password", kSecret,
                                               "The role's password; takes precedence over "
                                               "`catalog.passfile`."),
    Row<&C::catalog, &CatalogConfig::passfile>(
        "catalog.passfile", kNone, "File with the role's password, in the format of `.pgpass`."),
    Row<&C::control, &ControlConfig::user>(
        "control.user", kNone,
        "The role that checks nodes and reads roles and schemas on the shards; may read "
        "`pg_authid`. An empty text is `catalog.user`."),
    Row<&C::control, &ControlConfig::catalog_poll_interval>(
        "control.catalog_poll_interval", kReloadable,
        "How often the epoch is read, should a notification be lost.", kPoll),
    Row<&C::control, &ControlConfig::node_check_interval>(
        "control.node_check_interval", kReloadable,
        "How often the health and the role of each node are checked.", kPoll),
    Row<&C::control, &ControlConfig::schema_poll_interval>(
        "control.schema_poll_interval", kReloadable,
        "How often the shards' tables are compared with what is known of them.", kPoll),
    Row<&C::control, &ControlConfig::role_poll_interval>(
        "control.role_poll_interval", kReloadable,
        "How often the roles and their password verifiers are read.", kPoll),
    Row<&C::control, &ControlConfig::transaction_recovery_interval>(
        "control.transaction_recovery_interval", kReloadable,
        "How often prepared transactions that nobody commits any more are looked for.", kPoll),
    Row<&C::control, &ControlConfig::mover_lease>(
        "control.mover_lease", kNone,
        "How long the other proxies wait for this one, when it moves key ranges and does not "
        "answer "
        "any more, before one of them goes on; less than 1s is as 1s; 0 is that this one does not "
        "move any.",
        kMoverLease),
    Row<&C::control, &ControlConfig::rebalance_interval>(
        "control.rebalance_interval", kNone,
        "How often the automatic balancer looks at the shards, while it is on and nothing moves.",
        kWait),
    // What an operator sees.
    Row<&C::metrics, &MetricsConfig::listen>("metrics.listen", kNone,
                                             "`host:port` of the Prometheus endpoint; `*` is every "
                                             "IPv4 address (IPv6 is not served), an "
                                             "empty text is no endpoint."),
    Row<&C::log, &LogConfig::level>("log.level", kReloadable,
                                    "Lines below this level are not written."),
    Row<&C::log, &LogConfig::format>("log.format", kReloadable,
                                     "Lines of text or one JSON object per line."),
    Row<&C::log, &LogConfig::file>("log.file", kReloadable,
                                   "File to append to, opened again by a reload; an empty text is "
                                   "standard error."),
    Row<&C::log, &LogConfig::slow_statement>(
        "log.slow_statement", kReloadable,
        "Statements that take longer are logged with their text; 0 is none.", kOnOrOff),
    // Tests of Meridian itself.
    Row<&C::debug, &DebugConfig::fault_points>(
        "debug.fault_points", kReloadable,
        "For tests: `point=kill`, `point=pause` or, of a move, `point=fail`, separated by commas, "
        "has "
        "the process killed or stopped there, or the step fail."),
};

const Setting<DatabaseConfig> kDatabaseSettings[] = {
    RowOf<DatabaseConfig, &DatabaseConfig::name>(
        "database.name", kRequired, "Name of a database that clients connect to.", {}, {}),
    RowOf<DatabaseConfig, &DatabaseConfig::pool_mode>(
        "database.pool_mode", kNone, "The same for this database.", {}, "`pool_mode`"),
    RowOf<DatabaseConfig, &DatabaseConfig::pool_size>(
        "database.pool_size", kReloadable, "The same for this database.", kPoolSize, "`pool_size`"),
    RowOf<DatabaseConfig, &DatabaseConfig::read_consistency>("database.read_consistency", kNone,
                                                             "The same for this database.", {},
                                                             "`replicas.read_consistency`"),
};

const Setting<NodeConfig> kNodeSettings[] = {
    RowOf<NodeConfig, &NodeConfig::address>(
        "node.address", kRequired | kReloadable,
        "A node as the shard map calls it, `host:port`; nodes need no table of their own.", {}, {}),
    RowOf<NodeConfig, &NodeConfig::zone>("node.zone", kReloadable,
                                         "Where it is, see `replicas.zone`.", {}, {}),
    RowOf<NodeConfig, &NodeConfig::weight>(
        "node.weight", kReloadable, "Its share of the reads among the replicas of its shard.",
        {1, 1'000}, {}),
};

const Setting<UserConfig> kUserSettings[] = {
    RowOf<UserConfig, &UserConfig::name>("user.name", kRequired | kReloadable, "Name of a role.",
                                         {}, {}),
    RowOf<UserConfig, &UserConfig::read_consistency>(
        "user.read_consistency", kReloadable,
        "`replicas.read_consistency` for sessions that it begins from now on, whatever the "
        "database.",
        {}, {}),
};

const Setting<AdminUser> kAdminUserSettings[] = {
    RowOf<AdminUser, &AdminUser::name>(
        "admin.user.name", kRequired | kReloadable,
        "Name of a user who may log in to the database `meridian` and use the admin SQL.", {}, {}),
    RowOf<AdminUser, &AdminUser::password>(
        "admin.user.password", kRequired | kReloadable | kSecret,
        "The user's password, plain or better as the SCRAM verifier that `meridian "
        "--make-verifier` prints.",
        {}, {}),
};

// Levenshtein's distance.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string_view LastPart(std::string_view name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

std::span<const Setting<Config>> ConfigSettings() { return kConfigSettings; }
std::span<const Setting<DatabaseConfig>> DatabaseSettings() { return kDatabaseSettings; }
std::span<const Setting<AdminUser>> AdminUserSettings() { return kAdminUserSettings; }
std::span<const Setting<NodeConfig>> NodeSettings() { return kNodeSettings; }
std::span<const Setting<UserConfig>> UserSettings() { return kUserSettings; }

std::string NearestSetting(std::string_view name) {
  constexpr size_t kNameBytesMax = 100;  // what is longer is no slip of the pen
  if (name.empty() || name.size() > kNameBytesMax) return {};
  std::string_view nearest;
  size_t least = 2 + LastPart(name).size() / 4;  // farther is unlike
  const auto consider = [&](std::string_view candidate) {
    // A part of the name, and the right word in the wrong table, are near, too.
    const bool part = candidate.starts_with(name) && candidate.substr(name.size()).starts_with('_');
    const size_t distance = part ? 1
                                 : std::min(EditDistance(name, candidate),
                                            1 + EditDistance(LastPart(name), LastPart(candidate)));
    if (distance >= least) return;
    least = distance;
    nearest = candidate;
  };
  consider("database");
  consider("admin.user");
  for (const auto& setting : kConfigSettings) consider(setting.name);
  for (const auto& setting : kDatabaseSettings) consider(setting.name);
  for (const auto& setting : kAdminUserSettings) consider(setting.name);
  for (const auto& setting : kNodeSettings) consider(setting.name);
  for (const auto& setting : kUserSettings) consider(setting.name);
  return std::string(nearest);
}

}  // namespace meridian
