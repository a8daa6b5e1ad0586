#include "metrics/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

#include "metrics/log_format.h"
#include "metrics/log_limiter.h"

namespace meridian {
namespace {

// Writes each line by one system call to a file that is open for appending, so that lines of
// several processes do not mix and none waits in a buffer.
class FdSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FdSink(int fd) : fd_(fd) {}
  ~FdSink() override {
    if (fd_ != STDERR_FILENO) close(fd_);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    // A full disk or a closed terminal must not stop the service: such a line is lost.
    (void)!write(fd_, line.data(), line.size());
  }
  void flush_() override {}

 private:
  const int fd_;
};

// A queue with the logger that writes it out. Replaced as a whole, while other threads log.
struct Output {
  std::shared_ptr<spdlog::details::thread_pool> queue;  // null: lines are written by the caller
  std::shared_ptr<spdlog::logger> logger;
  LogFormat format = LogFormat::kText;
};

const char* PatternOf(LogFormat format) {
  return format == LogFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                                    : "%Y-%m-%d %H:%M:%S.%e %l %v";
}

void Configure(Output& output, LogFormat format) {
  output.format = format;
  output.logger->set_level(spdlog::level::trace);  // the levels are ours: LogEnabled
  output.logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      PatternOf(format), spdlog::pattern_time_type::utc));
}

std::shared_ptr<const Output> DirectOutput() {
  auto output = std::make_shared<Output>();
  output->logger =
      std::make_shared<spdlog::logger>("meridian", std::make_shared<FdSink>(STDERR_FILENO));
  Configure(*output, LogFormat::kText);
  return output;
}

// Never destroyed: threads may log while the process exits.
struct LogState {
  std::atomic<LogLevel> level{LogLevel::kInfo};
  LogLimiter limiter{kLogLinesPerSecond};
  std::mutex mu;
  std::shared_ptr<const Output> output = DirectOutput();  // guarded by mu

  std::shared_ptr<const Output> Get() {
    const std::lock_guard lock(mu);
    return output;
  }
  // The old queue is written out when its last user lets go of it.
  void Replace(std::shared_ptr<const Output> next) {
    const std::lock_guard lock(mu);
    output.swap(next);
  }
};

LogState& State() {
  static LogState* const state = new LogState;
  return *state;
}

int64_t NowSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

void Write(const Output& output, LogLevel level, std::string_view message, LogFields fields) {
  const std::string line = output.format == LogFormat::kJson ? FormatLogJson(message, fields)
                                                             : FormatLogText(message, fields);
  output.logger->log(SpdlogLevel(level), spdlog::string_view_t(line.data(), line.size()));
}

void Log(LogLevel level, std::string_view message, LogFields fields,
         const std::source_location& where) {
  if (!LogEnabled(level)) return;
  LogState& state = State();
  const LogLimiter::Verdict verdict = state.limiter.Ask(where, NowSeconds());
  if (!verdict.write) return;
  const std::shared_ptr<const Output> output = state.Get();
  if (verdict.left_out > 0) {
    Write(*output, level, "lines left out by the rate limit",
          {{"lines", verdict.left_out}, {"like", message}});
  }
  Write(*output, level, message, fields);
}

}  // namespace

std::string StartLogging(const LogOptions& options) {
  int fd = STDERR_FILENO;
  if (!options.file.empty()) {
    constexpr mode_t kMode = 0640;
    fd = open(options.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kMode);
    if (fd < 0) {
      return fmt::format("cannot write the log file \"{}\": {}", options.file,
                         std::strerror(errno));
    }
  }
  auto output = std::make_shared<Output>();
  output->queue = std::make_shared<spdlog::details::thread_pool>(kLogQueueLines, 1);
  output->logger = std::make_shared<spdlog::async_logger>(
      "meridian", std::make_shared<FdSink>(fd), output->queue,
      spdlog::async_overflow_policy::overrun_oldest);
  Configure(*output, options.format);
  State().Replace(std::move(output));
  SetLogLevel(options.level);
  static const int registered = std::atexit(StopLogging);  // no line is lost by a plain exit
  (void)registered;
  return {};
}

void SetLogLevel(LogLevel level) { State().level.store(level, std::memory_order_relaxed); }

void StopLogging() { State().Replace(DirectOutput()); }

bool LogEnabled(LogLevel level) { return level >= State().level.load(std::memory_order_relaxed); }

void LogDebug(std::string_view message, LogFields fields, std::source_location where) {
  Log(LogLevel::kDebug, message, fields, where);
}
void LogInfo(std::string_view message, LogFields fields, std::source_location where) {
  Log(LogLevel::kInfo, message, fields, where);
}
void LogWarning(std::string_view message, LogFields fields, std::source_location where) {
  Log(LogLevel::kWarning, message, fields, where);
}
void LogError(std::string_view message, LogFields fields, std::source_location where) {
  Log(LogLevel::kError, message, fields, where);
}

}  // namespace meridian
