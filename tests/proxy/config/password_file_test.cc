#include "proxy/config/password_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace meridian {
namespace {

using testing::HasSubstr;

PasswordFile Parsed(std::string_view text) {
  auto file = PasswordFile::Parse(text, "pw");
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? *file : PasswordFile();
}

std::string Find(const PasswordFile& file, std::string_view host, int port,
                 std::string_view database, std::string_view user) {
  const std::string* const password = file.Find(host, port, database, user);
  return password == nullptr ? "(none)" : *password;
}

TEST(PasswordFile, TheFirstMatchWins) {
  const PasswordFile file = Parsed(
      "# a comment\n"
      "\n"
      "db1:5432:shop:ann:one\n"
      "db1:5432:*:ann:two\r\n"
      "*:5433:*:*:three\n"
      "localhost:*:*:bob:four");
  EXPECT_EQ(Find(file, "db1", 5432, "shop", "ann"), "one");
  EXPECT_EQ(Find(file, "db1", 5432, "other", "ann"), "two");
  EXPECT_EQ(Find(file, "db2", 5433, "shop", "eve"), "three");
  EXPECT_EQ(Find(file, "/run/postgresql", 5432, "shop", "bob"), "four");
  EXPECT_EQ(Find(file, "db1", 5432, "shop", "eve"), "(none)");
  EXPECT_EQ(Find(file, "DB1", 5432, "shop", "ann"), "(none)");
  EXPECT_EQ(Find(PasswordFile(), "db1", 5432, "shop", "ann"), "(none)");
}

TEST(PasswordFile, ResolvesEscapes) {
  const PasswordFile file = Parsed(
      "\\:\\:1:5432:a\\\\b:\\*:p\\:\\\\w \n"
      "h:1:*:u:\\\n");
  EXPECT_EQ(Find(file, "::1", 5432, "a\\b", "*"), "p:\\w ");
  EXPECT_EQ(Find(file, "::1", 5432, "a\\b", "anyone"), "(none)");  // \* is no wildcard
  EXPECT_EQ(Find(file, "h", 1, "d", "u"), "\\");
}

TEST(PasswordFile, RefusesMalformedLinesWithoutEchoingThem) {
  for (const char* bad :
       {"hunter2", "h:1:d:u", "h:1:d:u:", ":::", "h:1:d:u:hunter2:x", "h:1:d:u\\:hunter2"}) {
    const auto file = PasswordFile::Parse(std::string("# ok\n") + bad + "\n", "pw");
    ASSERT_FALSE(file.ok()) << bad;
    const std::string message(file.status().message());
    EXPECT_THAT(message, testing::StartsWith("pw:2: must be host:port:database:user:password"));
    EXPECT_THAT(message, testing::Not(HasSubstr("hunter2")));
  }
}

TEST(PasswordFile, MustBePrivate) {
  const std::string path = testing::TempDir() + "/password_file_test." + std::to_string(getpid());
  std::ofstream(path) << "h:1:d:u:p\n";
  for (const mode_t mode : {0600, 0400, 0700}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    const auto file = PasswordFile::Load(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(Find(*file, "h", 1, "d", "u"), "p");
  }
  for (const mode_t mode : {0640, 0604, 0610, 0666}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    const auto file = PasswordFile::Load(path);
    ASSERT_FALSE(file.ok());
    EXPECT_THAT(std::string(file.status().message()), HasSubstr("run chmod 0600"));
  }
  std::remove(path.c_str());
  EXPECT_EQ(PasswordFile::Load(path).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace meridian
