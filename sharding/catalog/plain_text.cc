#include "sharding/catalog/plain_text.h"

#include <fmt/format.h>

#include <string_view>

namespace meridian {
namespace {

struct Setting {
  std::string_view name;
  std::string_view value;
};
constexpr Setting kSettings[] = {
    {"datestyle", "ISO"},        {"intervalstyle", "postgres"}, {"timezone", "UTC"},
    {"extra_float_digits", "3"}, {"bytea_output", "hex"},       {"lc_monetary", "C"},
    {"array_nulls", "on"},       {"xmloption", "content"},      {"search_path", "pg_catalog"},
};

}  // namespace

std::string PlainTextScript() {
  std::string script;
  for (const Setting& setting : kSettings) {
    script +=
        fmt::format("{}SET {} = '{}'", script.empty() ? "" : "; ", setting.name, setting.value);
  }
  return script;
}

std::string PlainTextOptions() {
  std::string options;
  for (const Setting& setting : kSettings) {
    options += fmt::format("{}-c {}={}", options.empty() ? "" : " ", setting.name, setting.value);
  }
  return options;
}

}  // namespace meridian
