#include "proxy/config/setting_value.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <span>

namespace meridian {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  int64_t factor;
  bool written;  // FormatSetting uses it
};
// Ascending.
constexpr Unit kDurationUnits[] = {{"ms", 1, true},
                                   {"s", 1'000, true},
                                   {"min", 60'000, true},
                                   {"h", 3'600'000, true},
                                   {"d", 86'400'000, true}};
constexpr Unit kSizeUnits[] = {
    {"B", 1, true},          {"kB", 1 << 10, true}, {"KiB", 1 << 10, false}, {"MB", 1 << 20, true},
    {"MiB", 1 << 20, false}, {"GB", 1 << 30, true}, {"GiB", 1 << 30, false}};

constexpr std::array<std::string_view, 2> kPoolModes = {"transaction", "session"};
constexpr std::array<std::string_view, 2> kClientAuths = {"trust", "scram-sha-256"};
constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kLogFormats = {"text", "json"};

std::string FormatWithUnit(int64_t value, std::span<const Unit> units) {
  if (value == 0) return "0";
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (unit.written && value % unit.factor == 0) best = &unit;
  }
  return fmt::format("{}{}", value / best->factor, best->name);
}

std::string UnitList(std::span<const Unit> units) {
  std::string list;
  for (const Unit& unit : units) list += fmt::format("{}{}", list.empty() ? "" : ", ", unit.name);
  return list;
}

// A whole number and a unit, with white space allowed between them. False if it is not that, or
// does not fit.
bool ParseWithUnit(std::string_view text, std::span<const Unit> units, int64_t& value) {
  int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return false;
  text.remove_prefix(static_cast<size_t>(stop - text.data()));
  while (text.starts_with(' ')) text.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name == text) return !__builtin_mul_overflow(number, unit.factor, &value);
  }
  value = number;
  return text.empty() && number == 0;
}

std::string CheckLimits(int64_t value, const SettingLimits& limits,
                        std::string (*format)(int64_t)) {
  if (value >= limits.min && value <= limits.max) return {};
  return fmt::format("must be from {} to {}", format(limits.min), format(limits.max));
}

std::string FormatNumber(int64_t value) { return fmt::format("{}", value); }
std::string FormatSize(int64_t value) { return FormatWithUnit(value, kSizeUnits); }
std::string FormatDuration(int64_t value) { return FormatWithUnit(value, kDurationUnits); }

std::string ChoiceList(std::span<const std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    list += fmt::format("{}\"{}\"", list.empty() ? "" : " or ", name);
  }
  return list;
}

template <typename Enum>
std::string ReadChoice(const SettingInput& input, std::span<const std::string_view> names,
                       Enum& value) {
  const auto* const text = std::get_if<std::string>(&input);
  for (size_t i = 0; text != nullptr && i < names.size(); ++i) {
    if (names[i] != *text) continue;
    value = static_cast<Enum>(i);
    return {};
  }
  return fmt::format("must be {}", ChoiceList(names));
}

template <typename Enum>
std::string FormatChoice(Enum value, std::span<const std::string_view> names) {
  return std::string(names[static_cast<size_t>(value)]);
}

}  // namespace

std::string ReadSetting(const SettingInput& input, const SettingLimits& limits, int& value) {
  const auto* const number = std::get_if<int64_t>(&input);
  if (number == nullptr) return "must be a whole number";
  std::string error = CheckLimits(*number, limits, FormatNumber);
  if (error.empty()) value = static_cast<int>(*number);
  return error;
}

std::string ReadSetting(const SettingInput& input, const SettingLimits& limits, int64_t& value) {
  int64_t bytes = 0;
  if (const auto* const number = std::get_if<int64_t>(&input)) {
    bytes = *number;
  } else {
    const auto* const text = std::get_if<std::string>(&input);
    if (text == nullptr || !ParseWithUnit(*text, kSizeUnits, bytes)) {
      return fmt::format("must be a size such as \"64kB\"; units are {}", UnitList(kSizeUnits));
    }
  }
  std::string error = CheckLimits(bytes, limits, FormatSize);
  if (error.empty()) value = bytes;
  return error;
}

std::string ReadSetting(const SettingInput& input, const SettingLimits& limits,
                        milliseconds& value) {
  int64_t ms = 0;
  const auto* const number = std::get_if<int64_t>(&input);
  const auto* const text = std::get_if<std::string>(&input);
  const bool is_duration = number != nullptr
                               ? *number == 0
                               : text != nullptr && ParseWithUnit(*text, kDurationUnits, ms);
  if (!is_duration) {
    return fmt::format("must be a duration such as \"5s\"; units are {}", UnitList(kDurationUnits));
  }
  std::string error = CheckLimits(ms, limits, FormatDuration);
  if (error.empty()) value = milliseconds(ms);
  return error;
}

std::string ReadSetting(const SettingInput& input, const SettingLimits&, std::string& value) {
  const auto* const text = std::get_if<std::string>(&input);
  if (text == nullptr) return "must be a text in quotes";
  // Such a value could reach no socket, file or message as it is.
  if (text->find('\0') != std::string::npos) return "must not contain a NUL character";
  value = *text;
  return {};
}

std::string ReadSetting(const SettingInput& input, const SettingLimits&,
                        std::vector<std::string>& value) {
  const auto* const list = std::get_if<std::vector<std::string>>(&input);
  if (list == nullptr) return "must be a list of texts such as [\"localhost\"]";
  for (const std::string& text : *list) {
    if (text.empty() || text.find('\0') != std::string::npos) {
      return "must not contain an empty text or a NUL character";
    }
  }
  value = *list;
  return {};
}

std::string ReadSetting(const SettingInput& input, const SettingLimits&, ReadConsistency& value) {
  return ReadChoice(input, kReadConsistencyNames, value);
}
std::string ReadSetting(const SettingInput& input, const SettingLimits&, PoolMode& value) {
  return ReadChoice(input, kPoolModes, value);
}
std::string ReadSetting(const SettingInput& input, const SettingLimits&, ClientAuth& value) {
  return ReadChoice(input, kClientAuths, value);
}
std::string ReadSetting(const SettingInput& input, const SettingLimits&, LogLevel& value) {
  return ReadChoice(input, kLogLevels, value);
}
std::string ReadSetting(const SettingInput& input, const SettingLimits&, LogFormat& value) {
  return ReadChoice(input, kLogFormats, value);
}

std::string FormatSetting(int value) { return FormatNumber(value); }
std::string FormatSetting(int64_t value) { return FormatSize(value); }
std::string FormatSetting(milliseconds value) { return FormatDuration(value.count()); }
std::string FormatSetting(const std::string& value) { return value; }
std::string FormatSetting(const std::vector<std::string>& value) {
  std::string list;
  for (const std::string& text : value) list += (list.empty() ? "" : ", ") + text;
  return list;
}
std::string FormatSetting(PoolMode value) { return FormatChoice(value, kPoolModes); }
std::string FormatSetting(ReadConsistency value) {
  return FormatChoice(value, kReadConsistencyNames);
}
std::string FormatSetting(ClientAuth value) { return FormatChoice(value, kClientAuths); }
std::string FormatSetting(LogLevel value) { return FormatChoice(value, kLogLevels); }
std::string FormatSetting(LogFormat value) { return FormatChoice(value, kLogFormats); }

SettingType TypeOfSetting(const SettingLimits& limits, const int&) {
  return {fmt::format("integer, {} to {}", limits.min, limits.max), ""};
}
SettingType TypeOfSetting(const SettingLimits& limits, const int64_t&) {
  return {fmt::format("size, {} to {}", FormatSize(limits.min), FormatSize(limits.max)), "bytes"};
}
SettingType TypeOfSetting(const SettingLimits& limits, const milliseconds&) {
  return {fmt::format("duration, {} to {}", FormatDuration(limits.min), FormatDuration(limits.max)),
          "time"};
}
SettingType TypeOfSetting(const SettingLimits&, const std::string&) { return {"text", ""}; }
SettingType TypeOfSetting(const SettingLimits&, const std::vector<std::string>&) {
  return {"list of texts", ""};
}
SettingType TypeOfSetting(const SettingLimits&, const ReadConsistency&) {
  return {ChoiceList(kReadConsistencyNames), ""};
}
SettingType TypeOfSetting(const SettingLimits&, const PoolMode&) {
  return {ChoiceList(kPoolModes), ""};
}
SettingType TypeOfSetting(const SettingLimits&, const ClientAuth&) {
  return {ChoiceList(kClientAuths), ""};
}
SettingType TypeOfSetting(const SettingLimits&, const LogLevel&) {
  return {ChoiceList(kLogLevels), ""};
}
SettingType TypeOfSetting(const SettingLimits&, const LogFormat&) {
  return {ChoiceList(kLogFormats), ""};
}

}  // namespace meridian
