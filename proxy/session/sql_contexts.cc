#include "proxy/session/sql_contexts.h"

#include <algorithm>
#include <cctype>

#include "sharding/client_encoding.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

// The value in the first of the sets that has it.
std::string_view Find(std::string_view name, std::initializer_list<const Settings*> sets,
                      std::string_view otherwise) {
  for (const Settings* const settings : sets) {
    if (const std::string* const value = settings->Find(name)) return *value;
  }
  return otherwise;
}

// The spellings of true that PostgreSQL's parse_bool takes.
bool IsOn(std::string_view value) {
  std::string lower(value);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string_view word = lower;
  const auto prefix_of = [word](std::string_view full) {
    return !word.empty() && full.starts_with(word);
  };
  return word == "1" || word == "on" || prefix_of("true") || prefix_of("yes");
}

std::vector<std::string> SearchPath(std::string_view list, std::string_view user) {
  // A path that cannot be split is one that the server would not have accepted.
  std::vector<std::string> path = SplitIdentifierList(list).value_or(std::vector<std::string>{});
  for (std::string& schema : path) {
    if (schema == "$user") schema = std::string(user);
  }
  return path;
}

}  // namespace

bool SqlContexts::DependOn(std::string_view setting) {
  return setting == "search_path" || setting == "role" || setting == "session_authorization" ||
         setting == "standard_conforming_strings" || setting == "client_encoding";
}

const SqlContext& SqlContexts::Of(std::string_view user, const Settings& defaults,
                                  const Settings& session, const Settings& local) {
  const auto find = [&](std::string_view name, std::string_view otherwise) {
    return Find(name, {&local, &session, &defaults}, otherwise);
  };
  const std::string_view role = find("role", "none");
  const std::string_view acting = role != "none" ? role : user;
  const std::string_view path = find("search_path", {});
  // A server has accepted the name; if it is not known here, nothing beyond ASCII is read.
  const ClientEncoding encoding =
      ClientEncodingByName(find("client_encoding", "UTF8")).value_or(ClientEncoding::kMuleInternal);
  const bool conforming = IsOn(find("standard_conforming_strings", "on"));

  std::string key(acting);
  key.push_back('\0');
  key += path;
  key.push_back(conforming ? '\1' : '\0');
  key.push_back(static_cast<char>(encoding));
  auto& context = by_key_[key];
  if (context == nullptr) {
    context = std::make_unique<SqlContext>();
    context->id = static_cast<uint32_t>(by_key_.size());
    context->search_path = SearchPath(path, acting);
    context->standard_conforming_strings = conforming;
    context->encoding = encoding;
  }
  return *context;
}

absl::Status CheckClientEncoding(std::string_view name) {
  const auto encoding = ClientEncodingByName(name);
  if (!encoding.has_value() || !EmbedsAscii(*encoding)) return absl::OkStatus();
  return Refused("client_encoding \"" + std::string(name) + "\" is not supported",
                 "Use client_encoding UTF8: in this one a quote may be half of a character.");
}

}  // namespace meridian
