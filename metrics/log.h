// Structured logging: a message that does not vary, and fields that do.
//
//   LogWarning("login failed", {{"client", id}, {"user", user}, {"sqlstate", "28P01"}});
//
// writes, as text or as a JSON object,
//   2026-11-23 09:10:11.123 warning login failed client=17 user=ann sqlstate=28P01
//   {"time":"2026-11-23T09:10:11.123Z","level":"warning","message":"login failed","client":17,...}
//
// Thread-safe. A line goes to a queue that one background thread writes out, so that a slow disk or
// terminal never holds up a worker; when the queue is full the oldest lines are lost. A call site
// that floods is limited to kLogLinesPerSecond, and the number of lines left out is told.
// Never log a secret: no password, verifier, key or cancel key; statement text only where the
// configuration asks for it (log.slow_statement).
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>
#include <variant>

namespace meridian {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : uint8_t { kText, kJson };

inline constexpr uint32_t kLogLinesPerSecond = 50;  // of one call site
inline constexpr size_t kLogQueueLines = 8192;
inline constexpr size_t kLogValueBytesMax = 8192;  // longer text values are cut, and say so

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  std::string file;  // appended to; empty: standard error
};

// Starts logging, or starts it over with other options (also to reopen a rotated file). Until the
// first call, lines go to standard error as text. Returns an empty string, or why the file cannot
// be written, and then nothing changes. Not from several threads at once.
[[nodiscard]] std::string StartLogging(const LogOptions& options);
// Changes the level alone. Any thread.
void SetLogLevel(LogLevel level);
// Writes out all lines and goes back to standard error. Also done by exit().
void StopLogging();

// A field's value; borrows text until the call returns.
class LogValue {
 public:
  template <std::integral T>
  LogValue(T value) : value_(Widen(value)) {}                            // NOLINT: implicit
  LogValue(double value) : value_(value) {}                              // NOLINT: implicit
  LogValue(const char* text) : value_(std::string_view(text)) {}         // NOLINT: implicit
  LogValue(std::string_view text) : value_(text) {}                      // NOLINT: implicit
  LogValue(const std::string& text) : value_(std::string_view(text)) {}  // NOLINT: implicit

  const auto& variant() const { return value_; }

 private:
  using Variant = std::variant<int64_t, uint64_t, double, bool, std::string_view>;
  template <typename T>
  static Variant Widen(T value) {
    if constexpr (std::same_as<T, bool>) return value;
    if constexpr (std::unsigned_integral<T>) return static_cast<uint64_t>(value);
    return static_cast<int64_t>(value);
  }
  Variant value_;
};

// `key` is a snake_case word.
struct LogField {
  std::string_view key;
  LogValue value;
};
using LogFields = std::initializer_list<LogField>;

// Whether lines of this level are written: to spare the making of expensive fields.
bool LogEnabled(LogLevel level);

void LogDebug(std::string_view message, LogFields fields = {},
              std::source_location where = std::source_location::current());
void LogInfo(std::string_view message, LogFields fields = {},
             std::source_location where = std::source_location::current());
void LogWarning(std::string_view message, LogFields fields = {},
                std::source_location where = std::source_location::current());
void LogError(std::string_view message, LogFields fields = {},
              std::source_location where = std::source_location::current());

}  // namespace meridian
