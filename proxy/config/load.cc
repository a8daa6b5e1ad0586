// From the text of meridian.toml to a Config. The only place that knows the TOML library.
#include <fmt/format.h>

#include <utility>

#include "metrics/fault_points.h"
#include "proxy/auth/scram_verifier.h"
#include "proxy/config/config.h"
#include "proxy/config/file_text.h"
#include "proxy/config/setting_table.h"
#include "sharding/shard_map.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace meridian {
namespace {

using toml::source_position;

// sun_path holds 107 bytes (unix(7)); the longest name in the directory is "/.s.PGSQL.65535".
constexpr size_t kUnixSocketDirBytesMax = 107 - 15;

SettingInput InputOf(const toml::node& node) {
  if (const auto* const number = node.as_integer()) return number->get();
  if (const auto* const text = node.as_string()) return text->get();
  const toml::array* const array = node.as_array();
  if (array == nullptr) return {};
  std::vector<std::string> texts;
  for (const toml::node& element : *array) {
    const auto* const text = element.as_string();
    if (text == nullptr) return {};
    texts.push_back(text->get());
  }
  return texts;
}

class Loader {
 public:
  explicit Loader(std::string_view path) : path_(path) {}

  absl::StatusOr<Config> Load(const toml::table& root) {
    // The top level first: databases take its values where they have none of their own.
    const absl::Status status = FirstError(
        [&] { return LoadTop(root, ""); }, [&] { return LoadDatabases(root["database"].node()); },
        [&] { return LoadAdminUsers(root["admin"].node()); },
        [&] { return LoadNodes(root["node"].node()); },
        [&] { return LoadUsers(root["user"].node()); }, [&] { return CheckWhole(root); });
    if (!status.ok()) return status;
    return std::move(config_);
  }

  absl::Status Error(const source_position& at, std::string_view what) const {
    return absl::InvalidArgumentError(fmt::format("{}:{}:{}: {}", path_, at.line, at.column, what));
  }

 private:
  static absl::Status FirstError(auto... steps) {
    absl::Status status;
    (void)((status = steps(), status.ok()) && ...);
    return status;
  }

  absl::Status Unknown(const toml::key& key, const std::string& name) const {
    const std::string nearest = NearestSetting(name);
    return Error(key.source().begin,
                 nearest.empty()
                     ? fmt::format("unknown setting \"{}\"", name)
                     : fmt::format("unknown setting \"{}\"; the nearest is \"{}\"", name, nearest));
  }

  // The settings of `table`, whose own name and a dot are `prefix`.
  absl::Status LoadTop(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      if (name == "database" || name == "admin" || name == "node" || name == "user") continue;
      absl::Status status;
      if (prefix.empty() && HasSettings(name + ".")) {
        const toml::table* const inner = node.as_table();
        status = inner != nullptr
                     ? LoadTop(*inner, name + ".")
                     : Error(node.source().begin, fmt::format("{0} is a table: write [{0}]", name));
      } else {
        status = Read(ConfigSettings(), name, key, node, config_);
      }
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  static bool HasSettings(std::string_view prefix) {
    for (const auto& setting : ConfigSettings()) {
      if (setting.name.starts_with(prefix)) return true;
    }
    return false;
  }

  template <typename Owner>
  absl::Status Read(std::span<const Setting<Owner>> settings, const std::string& name,
                    const toml::key& key, const toml::node& node, Owner& owner) {
    for (const Setting<Owner>& setting : settings) {
      if (setting.name != name) continue;
      std::string wrong = setting.read(InputOf(node), setting.limits, owner);
      if (wrong.empty() && setting.Is(SettingFlags::kRequired) && setting.format(owner).empty()) {
        wrong = "must not be empty";
      }
      if (!wrong.empty()) return Error(node.source().begin, fmt::format("{} {}", name, wrong));
      return absl::OkStatus();
    }
    return Unknown(key, name);
  }

  // Each table of the list `node`, read into a new element by `load_one`.
  absl::Status ForEachTable(const toml::node* node, std::string_view name, auto load_one) {
    if (node == nullptr) return absl::OkStatus();
    const absl::Status not_tables =
        Error(node->source().begin, fmt::format("{0} must be written as [[{0}]] tables", name));
    const toml::array* const array = node->as_array();
    if (array == nullptr) return not_tables;
    for (const toml::node& element : *array) {
      const toml::table* const table = element.as_table();
      if (table == nullptr) return not_tables;
      if (const absl::Status status = load_one(*table); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // One table of a list: its settings, and that none which is required is missing.
  template <typename Owner>
  absl::Status LoadElement(std::span<const Setting<Owner>> settings, const std::string& prefix,
                           const toml::table& table, Owner& element) {
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      if (const absl::Status status = Read(settings, name, key, node, element); !status.ok()) {
        return status;
      }
    }
    for (const Setting<Owner>& setting : settings) {
      if (setting.Is(SettingFlags::kRequired) && setting.format(element).empty()) {
        return Error(table.source().begin, fmt::format("{} is missing", setting.name));
      }
    }
    return absl::OkStatus();
  }

  absl::Status LoadDatabases(const toml::node* node) {
    return ForEachTable(node, "database", [&](const toml::table& table) {
      DatabaseConfig database{.name = {},
                              .pool_mode = config_.pool_mode,
                              .pool_size = config_.pool_size,
                              .read_consistency = config_.replicas.read_consistency};
      absl::Status status = LoadElement(DatabaseSettings(), "database.", table, database);
      if (!status.ok()) return status;
      const source_position at = table["name"].node()->source().begin;
      if (database.name == kAdminDatabase) {
        return Error(at, fmt::format("database.name \"{}\" is the name of the admin database",
                                     database.name));
      }
      if (config_.FindDatabase(database.name) != nullptr) {
        return Error(at, fmt::format("database.name \"{}\" is given twice", database.name));
      }
      config_.databases.push_back(std::move(database));
      return absl::OkStatus();
    });
  }

  absl::Status LoadNodes(const toml::node* node) {
    return ForEachTable(node, "node", [&](const toml::table& table) {
      NodeConfig read;
      absl::Status status = LoadElement(NodeSettings(), "node.", table, read);
      if (!status.ok()) return status;
      const source_position at = table["address"].node()->source().begin;
      const auto address = ParseNodeAddress(read.address);
      if (!address.ok()) {
        return Error(at, fmt::format("node.address: {}", std::string(address.status().message())));
      }
      read.address = address->ToString();
      if (config_.FindNode(read.address) != nullptr) {
        return Error(at, fmt::format("node.address \"{}\" is given twice", read.address));
      }
      config_.nodes.push_back(std::move(read));
      return absl::OkStatus();
    });
  }

  absl::Status LoadUsers(const toml::node* node) {
    return ForEachTable(node, "user", [&](const toml::table& table) {
      UserConfig user;
      absl::Status status = LoadElement(UserSettings(), "user.", table, user);
      if (!status.ok()) return status;
      if (config_.FindUser(user.name) != nullptr) {
        return Error(table["name"].node()->source().begin,
                     fmt::format("user.name \"{}\" is given twice", user.name));
      }
      config_.users.push_back(std::move(user));
      return absl::OkStatus();
    });
  }

  absl::Status LoadAdminUsers(const toml::node* node) {
    if (node == nullptr) return absl::OkStatus();
    const toml::table* const admin = node->as_table();
    if (admin == nullptr) {
      return Error(node->source().begin, "admin users must be written as [[admin.user]] tables");
    }
    for (const auto& [key, inner] : *admin) {
      if (key.str() != "user") return Unknown(key, "admin." + std::string(key.str()));
    }
    return ForEachTable((*admin)["user"].node(), "admin.user", [&](const toml::table& table) {
      AdminUser user;
      absl::Status status = LoadElement(AdminUserSettings(), "admin.user.", table, user);
      if (!status.ok()) return status;
      if (config_.FindAdminUser(user.name) != nullptr) {
        return Error(table["name"].node()->source().begin,
                     fmt::format("admin.user.name \"{}\" is given twice", user.name));
      }
      if (IsScramVerifier(user.password)) {
        const auto verifier = ParseScramVerifier(user.password);
        if (!verifier.ok()) {
          return Error(
              table["password"].node()->source().begin,
              fmt::format("admin.user.password: {}", std::string(verifier.status().message())));
        }
      }
      config_.admin_users.push_back(std::move(user));
      return absl::OkStatus();
    });
  }

  // What no setting alone can tell.
  absl::Status CheckWhole(const toml::table& root) {
    const source_position start{1, 1};
    const auto at = [&](const char* key) {
      const toml::node* const node = root[key].node();
      return node == nullptr ? start : node->source().begin;
    };
    const std::string& dir = config_.unix_socket_dir;
    if (!dir.empty() && (dir.front() != '/' || dir.size() > kUnixSocketDirBytesMax)) {
      return Error(at("unix_socket_dir"),
                   fmt::format("unix_socket_dir must be an absolute path of at most {} bytes",
                               kUnixSocketDirBytesMax));
    }
    if (dir.empty() && config_.listen_hosts.empty()) {
      return Error(at("listen_hosts"), "nothing to listen on: set listen_hosts or unix_socket_dir");
    }
    if (config_.catalog.dbname.empty()) return Error(at("catalog"), "catalog.dbname is missing");
    if (config_.databases.empty()) {
      return Error(start, "a [[database]] table with the name of a database is missing");
    }
    if (const absl::Status points = CheckFaultPoints(config_.debug.fault_points); !points.ok()) {
      return Error(at("debug"), "debug.fault_points: " + std::string(points.message()));
    }
    return absl::OkStatus();
  }

  const std::string path_;
  Config config_;
};

}  // namespace

absl::StatusOr<Config> ParseConfig(std::string_view text, std::string_view path) {
  Loader loader(path);
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) {
    return loader.Error(parsed.error().source().begin, parsed.error().description());
  }
  return loader.Load(parsed.table());
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  const absl::StatusOr<FileText> file = ReadFileText(path);
  if (!file.ok()) return file.status();
  return ParseConfig(file->text, path);
}

}  // namespace meridian
