#include "metrics/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <limits>
#include <thread>

#include "metrics/log_format.h"
#include "metrics/log_limiter.h"

namespace meridian {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(LogFormat, Text) {
  EXPECT_EQ(FormatLogText("hello", {}), "hello");
  EXPECT_EQ(FormatLogText("login", {{"client", 17}, {"user", "ann"}, {"ok", true}, {"ms", 1.5}}),
            "login client=17 user=ann ok=true ms=1.5");
  EXPECT_EQ(FormatLogText("it is \"x\"", {{"a", ""}, {"b", "x y"}, {"c", "k=v"}, {"d", "q\"\\"}}),
            "it is \"x\" a=\"\" b=\"x y\" c=\"k=v\" d=\"q\\\"\\\\\"");
  EXPECT_EQ(FormatLogText("big", {{"u", std::numeric_limits<uint64_t>::max()},
                                  {"i", std::numeric_limits<int64_t>::min()}}),
            "big u=18446744073709551615 i=-9223372036854775808");
}

TEST(LogFormat, Json) {
  EXPECT_EQ(FormatLogJson("login", {{"client", 17u}, {"user", "a\"b"}, {"ok", false}}),
            R"("message":"login","client":17,"user":"a\"b","ok":false)");
  EXPECT_EQ(FormatLogJson("x", {{"nan", std::numeric_limits<double>::quiet_NaN()}}),
            R"("message":"x","nan":null)");
}

TEST(LogFormat, NoValueBreaksTheLineOrItsEncoding) {
  using std::string_view_literals::operator""sv;
  const auto quoted = [](std::string_view value) {
    const std::string line = FormatLogJson("m", {{"v", value}});
    return line.substr(std::string_view(R"("message":"m","v":)").size());
  };
  EXPECT_EQ(quoted("a\nb\tc\rd\x1b[31m\x7f"), R"("a\nb\tc\u000dd\u001b[31m\u007f")");
  EXPECT_EQ(quoted("\0"sv), R"("\u0000")");
  EXPECT_EQ(quoted("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
            "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82",
                          "\xf4\x90\x80\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\x80"}) {
    EXPECT_THAT(quoted(bad), MatchesRegex(R"("(\\ufffd)+")")) << quoted(bad);
  }
  EXPECT_EQ(FormatLogText("forged\nline", {{"k", "a\nb"}}), "forged\\nline k=\"a\\nb\"");
  const std::string long_value(kLogValueBytesMax + 5, 'x');
  EXPECT_THAT(FormatLogText("m", {{"v", long_value}}), HasSubstr("xxx... (5 bytes more)\""));
}

TEST(LogLimiter, LimitsEachCallSiteAndTellsHowManyAreMissing) {
  LogLimiter limiter(2);
  const auto here = std::source_location::current();
  const auto there = std::source_location::current();
  EXPECT_TRUE(limiter.Ask(here, 100).write);
  EXPECT_TRUE(limiter.Ask(here, 100).write);
  EXPECT_FALSE(limiter.Ask(here, 100).write);
  EXPECT_FALSE(limiter.Ask(here, 100).write);
  EXPECT_TRUE(limiter.Ask(there, 100).write);
  const auto next = limiter.Ask(here, 101);
  EXPECT_TRUE(next.write);
  EXPECT_EQ(next.left_out, 2u);
  EXPECT_EQ(limiter.Ask(here, 101).left_out, 0u);
}

class LogFile : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "/log_test." + std::to_string(getpid());
    std::remove(path_.c_str());
  }
  void TearDown() override {
    StopLogging();
    SetLogLevel(LogLevel::kInfo);
    std::remove(path_.c_str());
  }
  // Everything that was logged; logging goes to standard error afterwards.
  std::vector<std::string> Lines() {
    StopLogging();
    std::ifstream file(path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  std::string path_;
};

TEST_F(LogFile, HoldsTextLinesOfItsLevelAndAbove) {
  ASSERT_EQ(StartLogging({.level = LogLevel::kWarning, .file = path_}), "");
  LogDebug("no");
  LogInfo("no");
  LogWarning("pool is full", {{"shard", "s1"}});
  LogError("gone", {{"node", std::string("h:1")}});
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  SetLogLevel(LogLevel::kDebug);
  LogDebug("yes");
  const std::string time = "[0-9]+-[0-9]+-[0-9]+ [0-9]+:[0-9]+:[0-9]+.[0-9]+ ";
  EXPECT_THAT(Lines(), testing::ElementsAre(MatchesRegex(time + "warning pool is full shard=s1"),
                                            MatchesRegex(time + "error gone node=h:1"),
                                            MatchesRegex(time + "debug yes")));
}

TEST_F(LogFile, HoldsJsonObjects) {
  ASSERT_EQ(StartLogging({.format = LogFormat::kJson, .file = path_}), "");
  LogInfo("login", {{"client", 1}});
  EXPECT_THAT(Lines(),
              testing::ElementsAre(MatchesRegex(
                  R"(\{"time":"[0-9T:.-]+Z","level":"info","message":"login","client":1\})")));
}

TEST_F(LogFile, IsAppendedToAndReopened) {
  ASSERT_EQ(StartLogging({.file = path_}), "");
  LogInfo("one");
  const std::string rotated = path_ + ".1";
  ASSERT_EQ(std::rename(path_.c_str(), rotated.c_str()), 0);
  ASSERT_EQ(StartLogging({.file = path_}), "");
  LogInfo("two");
  ASSERT_EQ(StartLogging({.file = path_}), "");
  LogInfo("three");
  EXPECT_EQ(Lines().size(), 2u);
  std::ifstream old(rotated);
  std::string line;
  std::getline(old, line);
  EXPECT_THAT(line, HasSubstr("info one"));
  std::remove(rotated.c_str());
}

TEST_F(LogFile, ThatCannotBeWrittenIsSaid) {
  EXPECT_EQ(StartLogging({.file = "/no/such/folder/x.log"}),
            "cannot write the log file \"/no/such/folder/x.log\": No such file or directory");
}

TEST_F(LogFile, TakesLinesOfManyThreadsAndLimitsAFlood) {
  ASSERT_EQ(StartLogging({.file = path_}), "");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 500; ++i) LogInfo("flood", {{"thread", t}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> lines = Lines();
  EXPECT_GE(lines.size(), kLogLinesPerSecond);
  EXPECT_LT(lines.size(), 1000u);  // a few seconds' worth at most
  for (const std::string& line : lines) EXPECT_THAT(line, HasSubstr(" info "));
}

}  // namespace
}  // namespace meridian
