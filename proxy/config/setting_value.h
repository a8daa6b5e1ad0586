// The types of settings: how each is read from the file, and written back as text. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/config/config.h"

namespace meridian {

// What stands in the file behind the equals sign; nothing if it is of a type that no setting has.
using SettingInput = std::variant<std::monostate, int64_t, std::string, std::vector<std::string>>;

// The least and the greatest value of a number, a duration (ms) or a size (bytes).
struct SettingLimits {
  int64_t min = 0;
  int64_t max = std::numeric_limits<int32_t>::max();
};

// Each Read gives an empty string, or what is wrong with the input, as the end of a sentence that
// begins with the setting's name; then `value` is unchanged.
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits, int& value);
// "64kB", "64MB", "1GiB": 1024 bytes are a kB and a KiB, as in PostgreSQL's settings; or bytes.
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits, int64_t& value);
// "250ms", "5s", "10min", "1h", "1d"; 0 needs no unit.
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits,
                        std::chrono::milliseconds& value);
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits, std::string& value);
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits,
                        std::vector<std::string>& value);
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits, PoolMode& value);
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits,
                        ReadConsistency& value);
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits, ClientAuth& value);
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits, LogLevel& value);
std::string ReadSetting(const SettingInput& input, const SettingLimits& limits, LogFormat& value);

// The value as one would write it in the file, without quotes; in the largest unit that fits.
std::string FormatSetting(int value);
std::string FormatSetting(int64_t value);
std::string FormatSetting(std::chrono::milliseconds value);
std::string FormatSetting(const std::string& value);
std::string FormatSetting(const std::vector<std::string>& value);
std::string FormatSetting(PoolMode value);
std::string FormatSetting(ReadConsistency value);
std::string FormatSetting(ClientAuth value);
std::string FormatSetting(LogLevel value);
std::string FormatSetting(LogFormat value);

// The type in words, with the limits or choices, and what its unit measures.
struct SettingType {
  std::string words;
  std::string_view unit;
};
SettingType TypeOfSetting(const SettingLimits& limits, const int&);
SettingType TypeOfSetting(const SettingLimits& limits, const int64_t&);
SettingType TypeOfSetting(const SettingLimits& limits, const std::chrono::milliseconds&);
SettingType TypeOfSetting(const SettingLimits& limits, const std::string&);
SettingType TypeOfSetting(const SettingLimits& limits, const std::vector<std::string>&);
SettingType TypeOfSetting(const SettingLimits& limits, const PoolMode&);
SettingType TypeOfSetting(const SettingLimits& limits, const ReadConsistency&);
SettingType TypeOfSetting(const SettingLimits& limits, const ClientAuth&);
SettingType TypeOfSetting(const SettingLimits& limits, const LogLevel&);
SettingType TypeOfSetting(const SettingLimits& limits, const LogFormat&);

}  // namespace meridian
