#include "proxy/config/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "proxy/auth/scram_verifier.h"

namespace meridian {
namespace {

using Action = CommandLine::Action;
using Arguments = std::vector<std::string>;

TEST(CommandLine, IsUnderstood) {
  const std::tuple<Arguments, Action, const char*> cases[] = {
      {{"--config", "m.toml"}, Action::kRun, "m.toml"},
      {{"--config=m.toml"}, Action::kRun, "m.toml"},
      {{"-c", "m.toml"}, Action::kRun, "m.toml"},
      {{"--check", "--config", "m.toml"}, Action::kCheck, "m.toml"},
      {{"--config", "m.toml", "--check"}, Action::kCheck, "m.toml"},
      {{"--version"}, Action::kVersion, ""},
      {{"--help"}, Action::kHelp, ""},
      {{"--make-verifier"}, Action::kMakeVerifier, ""},
  };
  for (const auto& [arguments, action, path] : cases) {
    const auto line = ParseCommandLine(arguments);
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(line->action, action);
    EXPECT_EQ(line->config_path, path);
  }
}

TEST(CommandLine, IsRefusedWithTheReason) {
  const std::pair<Arguments, const char*> cases[] = {
      {{}, "--config FILE is missing"},
      {{"--check"}, "--config FILE is missing"},
      {{"--config"}, "--config needs a file"},
      {{"--config="}, "--config needs a file"},
      {{"--config", ""}, "--config needs a file"},
      {{"--config", "a", "--config", "b"}, "--config is given twice"},
      {{"m.toml"}, "unknown argument \"m.toml\""},
      {{"--conf", "m.toml"}, "unknown argument \"--conf\""},
      {{"--version", "--make-verifier"}, "--make-verifier does not go with the rest"},
      {{""}, "unknown argument \"\""},
  };
  for (const auto& [arguments, error] : cases) {
    const auto line = ParseCommandLine(arguments);
    ASSERT_FALSE(line.ok());
    EXPECT_EQ(line.status().message(), std::string(error) + "; see meridian --help");
  }
}

TEST(CommandLine, HelpNamesEveryArgument) {
  for (const char* argument : {"--config", "--check", "--make-verifier", "--version", "--help"}) {
    EXPECT_THAT(std::string(HelpText()), testing::HasSubstr(argument));
  }
}

TEST(MakeVerifier, PrintsTheVerifierOfALine) {
  std::istringstream in("pencil\nignored\n");
  std::ostringstream out;
  ASSERT_TRUE(MakeVerifier(in, out).ok());
  std::string text = out.str();
  ASSERT_TRUE(text.ends_with('\n'));
  text.pop_back();
  const auto verifier = ParseScramVerifier(text);
  ASSERT_TRUE(verifier.ok()) << verifier.status();
  EXPECT_EQ(MakeScramVerifier("pencil", verifier->salt, verifier->iterations).value(), *verifier);
}

TEST(MakeVerifier, RefusesAnEmptyPassword) {
  for (const char* input : {"", "\n", "\r\n"}) {
    std::istringstream in(input);
    std::ostringstream out;
    EXPECT_FALSE(MakeVerifier(in, out).ok());
    EXPECT_EQ(out.str(), "");
  }
}

}  // namespace
}  // namespace meridian
