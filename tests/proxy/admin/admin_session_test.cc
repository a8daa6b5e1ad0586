#include "proxy/admin/admin_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/wire/error_response.h"
#include "proxy/wire/messages.h"
#include "tests/proxy/admin/fake_admin_host.h"
#include "tests/proxy/session/message_text.h"

namespace meridian {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string Take(AdminSession& session) {
  std::string bytes;
  session.out.MoveRest(0, bytes);
  return bytes;
}

std::string Messages(const std::vector<std::string>& lines) {
  std::string bytes;
  for (const std::string& line : lines) bytes += MessageFromText(line);
  return bytes;
}

// The types of the messages, an error with its SQLSTATE, a tag and a status with their text.
std::string Shape(std::string_view bytes) {
  std::string shape;
  while (const size_t size = WholeMessage(bytes)) {
    const std::string_view body = bytes.substr(wire::kHeaderBytes, size - wire::kHeaderBytes);
    shape += (shape.empty() ? "" : " ") + std::string(1, bytes[0]);
    if (bytes[0] == wire::kErrorResponse || bytes[0] == wire::kNoticeResponse) {
      shape += "(" + std::string(wire::ParseErrorFields(body).sqlstate) + ")";
    } else if (bytes[0] == wire::kCommandComplete) {
      shape += "(" + std::string(body.substr(0, body.size() - 1)) + ")";
    } else if (bytes[0] == wire::kReadyForQuery) {
      shape += "(" + std::string(body) + ")";
    }
    bytes.remove_prefix(size);
  }
  return bytes.empty() ? shape : shape + " and a part";
}

class AdminSessionTest : public testing::Test {
 protected:
  // What the session answers, in short.
  std::string Say(const std::vector<std::string>& lines) {
    session_.OnClientBytes(Messages(lines));
    return Shape(Take(session_));
  }

  FakeAdminHost host_{true};
  AdminSession session_{host_, 1, "ann"};
};

const std::vector<std::string> kConversation = {
    R"(Query "SHOW SHARDS")",
    R"(Query "SHOW POOLS; SHOW VERSION; SHOW POOLS")",
    R"(Query "")",
    R"(Query "this is no command")",
    R"(Query "BEGIN")",
    R"(Query "PAUSE SHARD s1; nonsense")",
    R"(Query "SHOW POOLS")",
    R"(Query "COMMIT")",
    R"(Parse "p" "SHOW POOLS")",
    R"(Describe S "p")",
    R"(Bind "c" "p")",
    R"(Describe P "c")",
    R"(Execute "c" 2)",
    R"(Execute "c" 2)",
    R"(Flush)",
    R"(Close P "c")",
    R"(Sync)",
    R"(Execute "c" 0)",
    R"(Parse "p2" "SHOW POOLS")",
    R"(Sync)",
    R"(Parse "" "")",
    R"(Bind "" "")",
    R"(Execute "" 0)",
    R"(Sync)",
    R"(CopyData "late")",
    R"(F "")",
    R"(Query "DISCARD ALL")",
    R"(Query "SHUTDOWN")",
    R"(Terminate)",
};

// All that the session says to the conversation, read in two pieces or in many small ones.
std::string Play(bool at_once, size_t cut, size_t read) {
  FakeAdminHost host(at_once);
  AdminSession session(host, 1, "ann");
  const std::string bytes = Messages(kConversation);
  std::string seen;
  for (size_t done = 0; done < bytes.size();) {
    size_t size = std::min(read, bytes.size() - done);
    if (done < cut) size = std::min(size, cut - done);
    const std::vector<char> event(bytes.begin() + done, bytes.begin() + done + size);
    session.OnClientBytes({event.data(), event.size()});
    host.ReplyToAll(session);
    seen += Take(session);
    done += size;
  }
  EXPECT_TRUE(host.closed);
  return seen;
}

TEST(AdminSessionCutTest, SameBytesHoweverReadsAreCut) {
  const size_t size = Messages(kConversation).size();
  const std::string whole = Play(true, size, size);
  EXPECT_THAT(Shape(whole), StartsWith("T D C(SHOW) Z(I) N(01000) T D D D C(SHOW)"));
  for (const bool at_once : {true, false}) {
    // Notices stand in their places, too.
    EXPECT_EQ(Play(at_once, size, 1), whole);
    for (size_t cut = 1; cut < size; ++cut) ASSERT_EQ(Play(at_once, cut, size), whole) << cut;
  }
}

TEST_F(AdminSessionTest, CommandsRunOneAfterTheOther) {
  FakeAdminHost host(false);
  AdminSession session(host, 1, "ann");
  session.OnClientBytes(Messages({R"(Query "SHOW POOLS")", R"(Query "SHOW SHARDS")"}));
  EXPECT_TRUE(session.waiting());
  EXPECT_EQ(Take(session), "");
  host.Reply(session);
  EXPECT_FALSE(session.waiting());
  EXPECT_EQ(Shape(Take(session)), "N(01000) T D D D C(SHOW) Z(I) T D C(SHOW) Z(I)");
}

TEST_F(AdminSessionTest, TransactionStatus) {
  EXPECT_EQ(Say({R"(Query "BEGIN")"}), "C(BEGIN) Z(T)");
  EXPECT_EQ(Say({R"(Query "BEGIN")"}), "N(25001) C(BEGIN) Z(T)");
  EXPECT_THAT(Say({R"(Query "nonsense")"}), EndsWith("Z(E)"));
  EXPECT_EQ(Say({R"(Query "SHOW POOLS")"}), "E(25P02) Z(E)");
  EXPECT_EQ(Say({R"(Query "COMMIT")"}), "C(ROLLBACK) Z(I)");
  EXPECT_EQ(Say({R"(Query "ROLLBACK")"}), "N(25P01) C(ROLLBACK) Z(I)");
  EXPECT_EQ(Say({R"(Query "BEGIN; PAUSE SHARD s1; ROLLBACK")"}),
            "C(BEGIN) N(01000) T D D D C(SHOW) N(01000) C(ROLLBACK) Z(I)");
}

TEST_F(AdminSessionTest, AnErrorSkipsToSync) {
  EXPECT_EQ(Say({R"(Bind "" "none")", R"(Execute "" 0)", R"(Query "SHOW SHARDS")"}), "E(26000)");
  EXPECT_EQ(Say({R"(Sync)"}), "Z(I)");
  EXPECT_EQ(Say({R"(Query "SHOW EPOCH")"}), "T D C(SHOW) Z(I)");
}

TEST_F(AdminSessionTest, PortalsAreSuspended) {
  EXPECT_EQ(Say({R"(Parse "" "SHOW POOLS")", R"(Bind "" "")", R"(Execute "" 2)"}),
            "1 2 N(01000) D D s");
  EXPECT_EQ(Say({R"(Execute "" 2)", R"(Execute "" 1)"}), "D C(SHOW) C(SHOW)");
  EXPECT_EQ(Say({R"(Sync)", R"(Execute "" 0)"}), "Z(I) E(34000)");
  EXPECT_THAT(host_.executed, ElementsAre("SHOW POOLS"));
}

TEST_F(AdminSessionTest, WhatIsNoMessageEndsTheSession) {
  for (const std::string& line :
       {std::string(R"(Raw "\xff\0\0\0\x04")"), std::string(R"(Raw "Q\0\0\0\x03")"),
        std::string(R"(Raw "Q\x7f\xff\xff\xff")"), std::string(R"(p "secret\0")")}) {
    FakeAdminHost host(true);
    AdminSession session(host, 1, "ann");
    session.OnClientBytes(Messages({line, R"(Query "SHOW SHARDS")"}));
    EXPECT_TRUE(host.closed) << line;
    EXPECT_EQ(Shape(Take(session)), "E(08P01)") << line;
  }
}

TEST_F(AdminSessionTest, LimitsOfInput) {
  std::string huge("Q\0\x10\0\x01", 5);  // one byte more than a message may have
  session_.OnClientBytes(huge);
  EXPECT_TRUE(host_.closed);
  EXPECT_EQ(Shape(Take(session_)), "E(54000)");

  FakeAdminHost slow(false);
  AdminSession waiting(slow, 1, "ann");
  waiting.OnClientBytes(Messages({R"(Query "SHOW POOLS")"}));
  const std::string sync = Messages({R"(Sync)"});
  std::string many;
  while (many.size() < 64 << 10) many += sync;
  size_t sent = 0;
  for (; !slow.closed && sent < 2 * AdminSession::kMaxInboxBytes; sent += many.size()) {
    waiting.OnClientBytes(many);
  }
  EXPECT_TRUE(slow.closed);
  EXPECT_EQ(Shape(Take(waiting)), "E(54000)");
}

TEST_F(AdminSessionTest, LimitsOfPreparedStatements) {
  for (size_t i = 0; i < AdminSession::kMaxPrepared; ++i) {
    ASSERT_EQ(Say({"Parse \"s" + std::to_string(i) + "\" \"SHOW SHARDS\""}), "1");
  }
  EXPECT_EQ(Say({R"(Parse "more" "SHOW SHARDS")", "Sync"}), "E(54000) Z(I)");
  EXPECT_EQ(Say({R"(Query "DEALLOCATE s1")", R"(Parse "more" "SHOW SHARDS")"}),
            "C(DEALLOCATE) Z(I) 1");
}

TEST_F(AdminSessionTest, RepliesThatComeTooLateAreForgotten) {
  FakeAdminHost host(false);
  AdminSession session(host, 1, "ann");
  session.OnClientBytes(Messages({R"(Query "SHOW POOLS")"}));
  std::string many(AdminSession::kMaxInboxBytes + 1, 'S');
  session.OnClientBytes(many);
  EXPECT_TRUE(host.closed);
  Take(session);
  host.Reply(session);
  EXPECT_EQ(Take(session), "");
}

}  // namespace
}  // namespace meridian
