// Holds the recorded conversations to what PostgreSQL really says. MERIDIAN_RECORD=1 writes them
// anew.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <stdexcept>

#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"
#include "sharding/catalog/migrations.h"
#include "tests/proxy/session/message_text.h"
#include "tests/proxy/session/shop_world.h"
#include "tests/proxy/session/stage.h"
#include "tests/support/pg_cluster.h"

namespace meridian {

inline void PrintTo(const Conversation& conversation, std::ostream* out) {
  *out << conversation.name;
}

namespace {

// How long a server may think about one CopyData before it is sure that it has no objection.
constexpr int kObjectionMs = 100;
constexpr int kAnswerMs = 10'000;

std::string Line(const std::string& who, char direction, std::string_view message) {
  return "  " + who + " " + direction + " " + MessageToText(message) + "\n";
}

void WriteMessages(const std::string& who, std::string_view bytes, std::string* log) {
  while (const size_t size = WholeMessage(bytes)) {
    *log += Line(who, '<', bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  if (!bytes.empty()) *log += "  " + who + " < Raw " + Quoted(bytes) + "\n";
}

// A connection to PostgreSQL that asks for the answer to each message before it sends the next, so
// that it is known what belongs to what.
class SocketBackend : public Backend {
 public:
  SocketBackend(uint16_t port, const std::string& database, std::string name, std::string* log)
      : name_(std::move(name)), log_(log) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("cannot connect");
    }
    std::string startup;
    wire::AppendStartup(startup, {{"user", "postgres"}, {"database", database}});
    Write(startup);
    ReadUntil("Z");
  }
  ~SocketBackend() override { close(socket_); }

  void OnBytes(std::string_view bytes, bool /*cleaning*/) override {
    unsent_ += bytes;
    while (const size_t size = WholeMessage(unsent_)) {
      const std::string message = unsent_.substr(0, size);
      unsent_.erase(0, size);
      const std::string answer = Ask(message);
      *log_ += Line(name_, '>', message);
      WriteMessages(name_, answer, log_);
      answer_ += answer;
    }
  }
  std::string TakeAnswer() override { return std::exchange(answer_, {}); }

 private:
  // Sends a message and reads all that the server says because of it.
  std::string Ask(const std::string& message) {
    static const std::string flush("H\0\0\0\4", 5);
    const char type = message[0];
    const bool extended = std::string_view("PBDEC").find(type) != std::string_view::npos;
    const bool copied = !simple_ && (type == wire::kCopyDone || type == wire::kCopyFail);
    Write(extended || copied ? message + flush : message);
    if (copying_) return AskInCopy(type);
    switch (type) {
      case wire::kQuery:
        simple_ = true;
        return ReadUntil("ZG");
      case wire::kFunctionCall:
        simple_ = true;
        return ReadUntil("Z");
      case wire::kSync: {
        const std::string answer = ReadUntil("Z");
        skipping_ = false;
        return answer;
      }
      default:
        break;
    }
    if (!extended || skipping_) return {};
    simple_ = false;
    switch (type) {
      case wire::kParse:
        return ReadUntil("1E");
      case wire::kBind:
        return ReadUntil("2E");
      case wire::kDescribe:
        return ReadUntil("TnE");
      case wire::kExecute:
        return ReadUntil("CsIEG");
      default:
        return ReadUntil("3E");
    }
  }
  std::string AskInCopy(char type) {
    if (type == wire::kCopyData) {
      pollfd waiting{socket_, POLLIN, 0};
      if (poll(&waiting, 1, kObjectionMs) == 0) return {};
    } else if (type != wire::kCopyDone && type != wire::kCopyFail) {
      return {};
    }
    copying_ = false;
    return ReadUntil(simple_ ? "Z" : "CE");
  }

  std::string ReadUntil(std::string_view types) {
    std::string answer;
    for (;;) {
      const std::string message = ReadMessage();
      answer += message;
      if (message[0] == wire::kErrorResponse && !simple_) skipping_ = true;
      if (message[0] == wire::kCopyInResponse) copying_ = true;
      if (types.find(message[0]) != std::string_view::npos) return answer;
    }
  }
  std::string ReadMessage() {
    std::string message = ReadBytes(wire::kHeaderBytes);
    message += ReadBytes(LoadU32(message.data() + 1) - 4);
    // Every server process has the number 77.
    if (message[0] == wire::kNotification) message.replace(5, 4, std::string("\0\0\0M", 4));
    return message;
  }
  std::string ReadBytes(size_t size) {
    std::string bytes(size, '\0');
    for (size_t got = 0; got < size;) {
      pollfd waiting{socket_, POLLIN, 0};
      if (poll(&waiting, 1, kAnswerMs) == 0) throw std::runtime_error(name_ + " says nothing");
      const ssize_t more = recv(socket_, bytes.data() + got, size - got, 0);
      if (more <= 0) throw std::runtime_error(name_ + " is gone");
      got += static_cast<size_t>(more);
    }
    return bytes;
  }
  void Write(std::string_view bytes) {
    (void)!send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  const std::string name_;
  std::string* const log_;
  int socket_;
  std::string unsent_, answer_;
  bool copying_ = false;
  bool simple_ = true;     // the last request was one of the simple protocol
  bool skipping_ = false;  // up to Sync
};

class SessionPgTest : public testing::TestWithParam<Conversation> {
 protected:
  static void SetUpTestSuite() {
    for (size_t i = 0; i < 2; ++i) {
      shards[i] = new PgCluster;
      // A template keeps the OIDs of its tables.
      shards[i]->Connect().Query("CREATE DATABASE shop");
      Connection shop = shards[i]->Connect("shop");
      shop.Query(kShopSql);
      shop.Query(kShopRows[i]);
      shop.Query(std::string(ShardSupportSql()));
    }
  }
  static void TearDownTestSuite() {
    for (PgCluster*& shard : shards) {
      delete shard;
      shard = nullptr;
    }
  }

  static inline PgCluster* shards[2] = {};
};

// The whole conversation as a file.
std::string Record(const Conversation& conversation, const Stage::MakeBackend& make_backend,
                   std::string* log) {
  std::string file;
  for (const std::string& line : conversation.head) file += line + "\n";
  Stage stage(conversation.options, make_backend);
  std::map<char, size_t> shown;
  const auto write = [&] {
    stage.Settle();
    file += std::exchange(*log, {});
    for (auto& [name, client] : stage.clients()) {
      WriteMessages(std::string(1, name), std::string_view(client.seen).substr(shown[name]), &file);
      shown[name] = client.seen.size();
    }
  };
  for (const Conversation::Step& step : conversation.steps) {
    file += "\n";
    for (const std::string& line : step.lines) file += line + "\n";
    stage.ClientSends(step.client, step.bytes);
    write();
  }
  file += "\nend\n";
  for (const auto& [name, client] : stage.clients()) stage.ClientVanishes(name);
  write();
  EXPECT_TRUE(stage.problems.empty()) << stage.problems.front();
  return file;
}

// Without the line numbers of PostgreSQL's source.
std::string Masked(const std::string& file) {
  return std::regex_replace(file, std::regex("\\\\0L[0-9]+\\\\0R"), "\\0L\\0R");
}

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_P(SessionPgTest, SaysWhatWasRecorded) {
  const Conversation& conversation = GetParam();
  for (PgCluster* shard : shards) {
    shard->Connect().Query("CREATE DATABASE " + conversation.name + " TEMPLATE shop");
  }
  std::string log;
  const std::string now = Record(
      conversation,
      [&](const std::string& name) {
        return std::make_unique<SocketBackend>(shards[name.starts_with("s2")]->port(),
                                               conversation.name, name, &log);
      },
      &log);
  const std::string path = ConversationFile(conversation.name);
  if (std::getenv("MERIDIAN_RECORD") != nullptr) {
    std::ofstream(path) << now;
  } else {
    EXPECT_EQ(Masked(now), Masked(Read(path)));
  }
}

INSTANTIATE_TEST_SUITE_P(Conversations, SessionPgTest, testing::ValuesIn(ReadConversations()),
                         [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace meridian
