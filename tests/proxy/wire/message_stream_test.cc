#include "proxy/wire/message_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "proxy/wire/message_writer.h"

namespace meridian::wire {
namespace {

using std::string_literals::operator""s;
using Kind = MessageStream::Kind;

struct Message {
  char type = 0;
  std::string bytes;
  friend bool operator==(const Message&, const Message&) = default;
};

// What a stream is made of, its chunks put together again.
struct Content {
  std::vector<Message> messages;
  bool broken = false;
};

class Collector {
 public:
  void Feed(std::string_view bytes) {
    while (!content.broken) {
      const auto event = stream.Next(bytes);
      if (event.kind == Kind::kNone) {
        EXPECT_TRUE(bytes.empty());
        return;
      }
      content.broken = event.kind == Kind::kBroken;
      if (event.kind == Kind::kMessage)
        content.messages.push_back({event.type, std::string(event.bytes)});
      if (event.kind == Kind::kChunk) Add(event);
    }
  }
  void Add(const MessageStream::Event& event) {
    EXPECT_NE(event.starts, in_chunks);
    if (event.starts) content.messages.push_back({event.type, {}});
    EXPECT_EQ(content.messages.back().type, event.type);
    content.messages.back().bytes.append(event.bytes);
    in_chunks = !event.ends;
  }
  MessageStream stream;
  Content content;
  bool in_chunks = false;
};

std::string Conversation() {
  std::string bytes;
  AppendAuthentication(bytes, kAuthOk);
  AppendParameterStatus(bytes, "server_version", "15.20");
  AppendBackendKeyData(bytes, 4711, "abcd");
  AppendReadyForQuery(bytes, kIdle);
  AppendTextRowDescription(bytes, {"id", "name"});
  AppendTextDataRow(bytes, {"1", "ann"});
  AppendTextDataRow(bytes, {"2", std::string(300, 'x')});
  bytes += "D\0\0\0\4"s;  // without a body: no row of PostgreSQL's, but well cut
  AppendCommandComplete(bytes, "SELECT 2");
  AppendEmptyMessage(bytes, kParseComplete);
  bytes += "d\0\0\0\7abc"s + "d\0\0\0\4"s + "c\0\0\0\4"s;
  AppendError(bytes, Severity::kError, {"42601", "no", "", "", 1});
  AppendReadyForQuery(bytes, kFailedTransaction);
  return bytes;
}

TEST(MessageStream, MessagesAreCutWhereTheyEnd) {
  Collector whole;
  whole.Feed(Conversation());
  std::string joined, types;
  for (const Message& message : whole.content.messages) {
    joined += message.bytes;
    types += message.type;
  }
  EXPECT_EQ(joined, Conversation());
  EXPECT_EQ(types, "RSKZTDDDC1ddcEZ");
  EXPECT_TRUE(whole.stream.AtBoundary());
}

TEST(MessageStream, CutAtEveryByteItIsTheSame) {
  const std::string bytes = Conversation();
  Collector whole;
  whole.Feed(bytes);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    Collector parts;
    parts.Feed(std::string_view(bytes).substr(0, cut));
    EXPECT_FALSE(parts.content.broken);
    parts.Feed(std::string_view(bytes).substr(cut));
    EXPECT_EQ(parts.content.messages, whole.content.messages) << cut;
    EXPECT_TRUE(parts.stream.AtBoundary()) << cut;
  }
  Collector single;
  for (const char byte : bytes) single.Feed(std::string_view(&byte, 1));
  EXPECT_EQ(single.content.messages, whole.content.messages);
}

TEST(MessageStream, KnowsWhetherItStandsBetweenMessages) {
  const std::string bytes = Conversation();
  Collector whole;
  whole.Feed(bytes);
  std::vector<size_t> ends = {0};
  for (const Message& message : whole.content.messages) {
    ends.push_back(ends.back() + message.bytes.size());
  }
  Collector single;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const bool between = std::find(ends.begin(), ends.end(), i) != ends.end();
    EXPECT_EQ(single.stream.AtBoundary(), between) << i;
    single.Feed(std::string_view(bytes).substr(i, 1));
  }
}

// Whoever gives a connection back does so while it handles the last message.
TEST(MessageStream, IsAtTheBoundaryAsSoonAsAMessageIsHandedOut) {
  MessageStream stream;
  std::string_view first("Z\0\0\0", 4), second("\5I", 2);
  EXPECT_EQ(stream.Next(first).kind, Kind::kNone);
  EXPECT_FALSE(stream.AtBoundary());
  const auto event = stream.Next(second);
  EXPECT_EQ(event.body(), "I");
  EXPECT_TRUE(stream.AtBoundary());
}

TEST(MessageStream, RowsOfAnySizePassThrough) {
  MessageStream stream;
  const std::string header = "D\xff\xff\xff\xff"s;  // 4 GB
  const std::string chunk(1 << 20, 'x');
  std::string_view bytes = header;
  auto event = stream.Next(bytes);
  EXPECT_EQ(event.kind, Kind::kChunk);
  EXPECT_TRUE(event.starts);
  uint64_t passed = event.bytes.size();
  while (!event.ends) {
    bytes = chunk;
    event = stream.Next(bytes);
    ASSERT_EQ(event.kind, Kind::kChunk);
    ASSERT_EQ(event.bytes.data(), chunk.data());  // not copied
    passed += event.bytes.size();
  }
  EXPECT_EQ(passed, uint64_t{1} << 32);
  EXPECT_EQ(bytes.size(), header.size());  // of the last chunk: the next message
  EXPECT_TRUE(stream.AtBoundary());
}

TEST(MessageStream, AnnouncedLengthsAreChecked) {
  for (const std::string& bytes : {"Z\0\0\0\0"s, "Z\0\0\0\3"s, "D\0\0\0\3"s, "T\xff\xff\xff\xff"s,
                                   "T\4\0\0\1"s, "\0\0\0\0\0"s}) {
    Collector whole;
    whole.Feed(bytes);
    EXPECT_TRUE(whole.content.broken);
    Collector single;
    for (const char byte : bytes) single.Feed(std::string_view(&byte, 1));
    EXPECT_TRUE(single.content.broken);
  }
}

TEST(MessageStream, AnyBytesAreTheSameHoweverTheyAreCut) {
  std::mt19937 random(1);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes = Conversation().substr(random() % 100);
    for (int i = 0; i < 5; ++i) bytes[random() % bytes.size()] = static_cast<char>(random() % 8);
    bytes.resize(random() % (bytes.size() + 1));
    Collector whole, parts;
    whole.Feed(bytes);
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = 1 + random() % 40;
      parts.Feed(std::string_view(bytes).substr(at, size));
      at += size;
    }
    EXPECT_EQ(parts.content.broken, whole.content.broken) << round;
    EXPECT_EQ(parts.content.messages, whole.content.messages) << round;
  }
}

}  // namespace
}  // namespace meridian::wire
