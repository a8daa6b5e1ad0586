// The first packet; the numbers are those of the corner cases that proxies are known to get wrong.
#include "proxy/wire/startup_packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "proxy/wire/message_writer.h"
#include "sharding/sql_status.h"

namespace meridian::wire {
namespace {

using std::string_literals::operator""s;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string Packet(uint32_t code, std::string_view rest = {}) {
  std::string bytes;
  AppendU32(bytes, static_cast<uint32_t>(8 + rest.size()));
  AppendU32(bytes, code);
  return bytes.append(rest);
}

absl::StatusOr<StartupMessage> Startup(std::string_view parameters,
                                       uint32_t version = kProtocol30) {
  auto packet = ParseStartupPacket(Packet(version, parameters));
  if (!packet.ok()) return packet.status();
  return std::get<StartupMessage>(*std::move(packet));
}

std::string ErrorOf(const absl::Status& status) {
  return status.ok() ? "none" : ToSqlError(status).sqlstate;
}

TEST(StartupPacket, ReadsWhatAppendStartupWrites) {
  std::string bytes;
  AppendStartup(bytes, {{"user", "ann"}, {"database", "shop"}, {"TimeZone", "UTC"}});
  const auto packet = ParseStartupPacket(bytes);
  ASSERT_TRUE(packet.ok());
  const auto& message = std::get<StartupMessage>(*packet);
  EXPECT_EQ(message.major, 3);
  EXPECT_EQ(message.minor, 0);
  EXPECT_EQ(message.user, "ann");
  EXPECT_EQ(message.database, "shop");
  EXPECT_THAT(message.settings, ElementsAre(Pair("TimeZone", "UTC")));
  EXPECT_FALSE(message.replication);
}

TEST(StartupPacket, RequestsOfEncryption) {
  EXPECT_TRUE(std::holds_alternative<SslRequest>(*ParseStartupPacket(Packet(kSslRequestCode))));
  EXPECT_TRUE(
      std::holds_alternative<GssEncRequest>(*ParseStartupPacket(Packet(kGssEncRequestCode))));
}

TEST(StartupPacket, BrokenLayouts) {
  const std::string layout = "expected terminator as last byte";
  for (const std::string& parameters :
       {""s, "user"s, "user\0"s, "user\0ann"s, "user\0ann\0"s, "user\0ann\0\0x"s,
        "user\0ann\0\0\0"s, "user\0ann\0database\0\0x"s}) {
    const auto message = Startup(parameters);
    ASSERT_FALSE(message.ok()) << testing::PrintToString(parameters);
    EXPECT_EQ(ErrorOf(message.status()), "08P01");
    EXPECT_THAT(ToSqlError(message.status()).message, HasSubstr(layout));
  }
  for (size_t size = 0; size < 8; ++size) {
    EXPECT_EQ(ErrorOf(ParseStartupPacket(Packet(kProtocol30).substr(0, size)).status()), "08P01");
  }
}

TEST(StartupPacket, CutAtEveryByteIsNeverTakenForWhole) {
  std::string bytes;
  AppendStartup(bytes, {{"user", "ann"}, {"options", "-c a=b"}, {"x", "y"}});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ParseStartupPacket(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
}

TEST(StartupPacket, MinorVersionsAndUnknownOptionsAreForNegotiation) {
  const auto message =
      Startup("user\0ann\0_pq_.test_protocol_negotiation\0\0_pq_.x\0on\0\0"s, 3 << 16 | 9999);
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->minor, 9999);
  EXPECT_THAT(message->unknown_protocol_options,
              ElementsAre("_pq_.test_protocol_negotiation", "_pq_.x"));
  EXPECT_THAT(message->settings, ElementsAre());

  // As PostgreSQL 15 answers.
  std::string answer;
  AppendNegotiateProtocolVersion(answer, {});
  EXPECT_EQ(answer, "v\0\0\0\x0c\0\3\0\0\0\0\0\0"s);
  answer.clear();
  AppendNegotiateProtocolVersion(answer, {"_pq_.x"});
  EXPECT_EQ(answer, "v\0\0\0\x13\0\3\0\0\0\0\0\1_pq_.x\0"s);
}

TEST(StartupPacket, OtherMajorVersionsAreRefused) {
  for (const uint32_t version : {4u << 16, 2u << 16, 0u, 0xffffffffu}) {
    EXPECT_EQ(ErrorOf(Startup("user\0ann\0\0"s, version).status()), "0A000");
  }
  EXPECT_EQ(ToSqlError(Startup("", 4 << 16).status()).message,
            "unsupported frontend protocol 4.0: server supports 3.0 to 3.0");
}

TEST(StartupPacket, CancelRequests) {
  std::string bytes;
  AppendCancelRequest(bytes, 4711, "abcd");
  EXPECT_EQ(bytes.size(), 16u);
  const auto packet = ParseStartupPacket(bytes);
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(std::get<CancelRequest>(*packet).pid, 4711u);
  EXPECT_EQ(std::get<CancelRequest>(*packet).secret, "abcd");
  for (const size_t size : {4, 32, 256}) {
    EXPECT_TRUE(ParseStartupPacket(Packet(kCancelRequestCode, std::string(4 + size, 'x'))).ok());
  }
  for (const size_t size : {0, 3, 4, 7, 261, 9000}) {
    const auto bad = ParseStartupPacket(Packet(kCancelRequestCode, std::string(size, 'x')));
    EXPECT_EQ(ErrorOf(bad.status()), "08P01") << size;
  }
}

TEST(StartupPacket, WhoAndWhere) {
  EXPECT_EQ(Startup("user\0ann\0\0"s)->database, "ann");
  EXPECT_EQ(Startup("user\0ann\0database\0\0\0"s)->database, "ann");
  EXPECT_EQ(ErrorOf(Startup("\0"s).status()), "28000");
  EXPECT_EQ(ErrorOf(Startup("database\0shop\0\0"s).status()), "28000");
  EXPECT_EQ(ErrorOf(Startup("user\0\0\0"s).status()), "28000");
  EXPECT_THAT(Startup("user\0ann\0application_name\0\0\0"s)->settings,
              ElementsAre(Pair("application_name", "")));
}

TEST(StartupPacket, Replication) {
  for (const char* value : {"database", "true", "on", "1", "yes", "t", "x"}) {
    EXPECT_TRUE(Startup("user\0a\0replication\0"s + value + "\0\0"s)->replication) << value;
  }
  for (const char* value : {"false", "off", "0", "NO", "f", "OF"}) {
    EXPECT_FALSE(Startup("user\0a\0replication\0"s + value + "\0\0"s)->replication) << value;
  }
}

TEST(StartupPacket, OptionsAreSettingsInTheClientsOrder) {
  const auto message = Startup("user\0a\0x\0one\0options\0-c x=2 --y-z=3\0x\0four\0\0"s);
  ASSERT_TRUE(message.ok());
  EXPECT_THAT(message->settings,
              ElementsAre(Pair("x", "one"), Pair("x", "2"), Pair("y_z", "3"), Pair("x", "four")));
  EXPECT_EQ(ErrorOf(Startup("user\0a\0options\0-x\0\0"s).status()), "42601");
}

TEST(ParseOptions, TakesWhatPostgresTakes) {
  EXPECT_THAT(*ParseOptions(""), ElementsAre());
  EXPECT_THAT(*ParseOptions(" \t\n"), ElementsAre());
  EXPECT_THAT(*ParseOptions("-c a=b --c-d=e -cf=g"),
              ElementsAre(Pair("a", "b"), Pair("c_d", "e"), Pair("f", "g")));
  EXPECT_THAT(*ParseOptions("-c a=b\\ c\\\\d"), ElementsAre(Pair("a", "b c\\d")));
  EXPECT_THAT(*ParseOptions("-c a="), ElementsAre(Pair("a", "")));
  EXPECT_THAT(*ParseOptions("-c a=b=c"), ElementsAre(Pair("a", "b=c")));
  EXPECT_THAT(*ParseOptions("-c  a=b"), ElementsAre(Pair("a", "b")));
}

TEST(ParseOptions, RefusesTheRest) {
  for (const char* text : {"-c", "-c a", "--", "--a", "-c =b", "--=b", "-d 5", "a=b", "-", "\\"}) {
    EXPECT_EQ(ErrorOf(ParseOptions(text).status()), "42601") << text;
  }
}

TEST(StartupPacket, RandomBytesAreRefusedOrRead) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string rest(random() % 60, '\0');
    for (char& byte : rest) byte = "user\0options-c=_pq. \\\xff"[random() % 23];
    (void)Startup("user\0ann\0"s + rest);
    (void)Startup(rest);
  }
}

}  // namespace
}  // namespace meridian::wire
