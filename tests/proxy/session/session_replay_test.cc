// Plays recorded conversations again: with reads cut at every byte, and with everything that may
// come in between. Whatever the cuts, clients and servers must receive the same bytes; whatever
// happens, no server may be lost or be handed on in the middle of something.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "proxy/wire/error_response.h"
#include "tests/proxy/pool/fake_host.h"
#include "tests/proxy/session/message_text.h"
#include "tests/proxy/session/replay_backend.h"
#include "tests/proxy/session/shop_world.h"
#include "tests/proxy/session/stage.h"

namespace meridian {

inline void PrintTo(const Conversation& conversation, std::ostream* out) {
  *out << conversation.name;
}

namespace {

constexpr size_t kNever = SIZE_MAX;

// Every byte would take too long: each of the tests takes another set of positions. With
// MERIDIAN_EVERY_BYTE=1 they take all.
size_t Stride() {
  if (std::getenv("MERIDIAN_EVERY_BYTE") != nullptr) return 1;
#if defined(__SANITIZE_ADDRESS__)
  return 97;
#else
  return 7;
#endif
}

struct Plan {
  size_t client_read = kNever;  // the largest read
  size_t server_read = kNever;
  size_t client_cut = kNever;  // a read ends at this byte of all that clients send
  size_t server_cut = kNever;  // ... that servers say
  bool settle_at_cut = true;   // servers answer before the client goes on
  bool lazy = false;           // servers answer when PostgreSQL would flush
  bool at_once = false;        // each client sends all that it will
  bool late_logins = false;    // no server connection is ready before all is sent
  // What happens at the cut; `link`: where the server was cut, else null.
  std::function<void(Stage&, char client, Stage::Link* link)> happens = {};
  // What happens when nothing goes on any more after it.
  std::function<void(Stage&)> then = {};
};

class Play {
 public:
  Play(const Conversation& conversation, const Plan& plan)
      : conversation_(conversation),
        plan_(plan),
        stage_(conversation.options, [this](const std::string& name) { return Connect(name); }) {
    stage_.hold_logins = plan.late_logins;
    if (plan.at_once) {
      std::map<char, std::string> bytes;
      for (const auto& step : conversation.steps) bytes[step.client] += step.bytes;
      for (const auto& [client, all] : bytes) Send(client, all);
    } else {
      for (const auto& step : conversation.steps) Send(step.client, step.bytes);
    }
    stage_.hold_logins = false;
    Settle();
  }

  // All went as it was recorded.
  void ExpectAsRecorded() {
    Leave();
    for (const auto& [name, bytes] : conversation_.seen) {
      if (stage_.client(name).seen != bytes) Problem(Difference(stage_.client(name).seen, bytes));
    }
    for (const auto& [name, backend] : backends_) {
      if (!backend->surprise().empty()) Problem(name + " does not expect " + backend->surprise());
      if (!backend->Missing().empty()) Problem(name + " does not receive " + backend->Missing());
    }
    if (backends_.size() != conversation_.servers.size()) Problem("another number of servers");
  }
  // No client waits for what will never come, what they have seen is whole messages, and when they
  // leave nothing stays behind.
  void ExpectConsistent() {
    for (const auto& [name, client] : stage_.clients()) {
      if (client.session->owes_answer() && !client.session->waiting_for_server()) {
        Problem(std::string("client ") + name + " waits for ever");
      }
    }
    Leave();
  }

  Stage& stage() { return stage_; }
  std::string problems() const { return testing::PrintToString(stage_.problems); }
  bool ok() const { return stage_.problems.empty(); }

 private:
  std::unique_ptr<Backend> Connect(const std::string& name) {
    auto found = conversation_.servers.find(name);
    if (found == conversation_.servers.end() && conversation_.options.replicas) {
      // What a replica cannot answer any more, its primary is asked.
      found = conversation_.servers.find(name.substr(0, 2) + "r.1");
    }
    auto backend = std::make_unique<ReplayBackend>(
        found == conversation_.servers.end() ? std::vector<Exchange>() : found->second,
        ReplayBackend::Options{.lazy = plan_.lazy, .loose = conversation_.options.loose});
    backends_[name] = backend.get();
    return backend;
  }

  void Send(char client, std::string_view bytes) {
    while (!bytes.empty()) {
      size_t size = std::min(bytes.size(), plan_.client_read);
      if (client_done_ < plan_.client_cut) size = std::min(size, plan_.client_cut - client_done_);
      stage_.ClientSends(client, bytes.substr(0, size));
      bytes.remove_prefix(size);
      client_done_ += size;
      const bool cut = client_done_ == plan_.client_cut;
      if (!cut || plan_.settle_at_cut) Settle();
      if (cut && plan_.happens) {
        plan_.happens(stage_, client, nullptr);
        happened_ = true;
        Settle();
      }
    }
    Settle();
    if (!std::exchange(happened_, false) || !plan_.then) return;
    plan_.then(stage_);
    Settle();
  }
  void Settle() {
    stage_.Settle([this](Stage::Link& link, size_t available) {
      size_t size = std::min(available, plan_.server_read);
      if (server_done_ < plan_.server_cut) size = std::min(size, plan_.server_cut - server_done_);
      server_done_ += size;
      stage_.ServerSpeaks(link, size);
      if (server_done_ == plan_.server_cut && plan_.happens && !cut_) {
        cut_ = happened_ = true;
        plan_.happens(stage_, 'a', link.server == nullptr ? nullptr : &link);
      }
    });
  }
  void Leave() {
    for (const auto& [name, client] : stage_.clients()) CheckSeen(name, client);
    for (const auto& [name, client] : stage_.clients()) stage_.ClientVanishes(name);
    Settle();
    for (const auto& link : stage_.links()) {
      if (link->server != nullptr && link->server->state != Server::State::kIdle) {
        Problem(link->name + " does not become idle");
      }
    }
  }
  // What a client sees is messages, the last of which may be cut only where the session has ended.
  void CheckSeen(char name, const Stage::Client& client) {
    std::string_view seen = client.seen;
    while (const size_t size = WholeMessage(seen)) {
      if (std::string_view("123ACDEGHINSTVZcdnst").find(seen[0]) == std::string_view::npos) {
        Problem(std::string("client ") + name + " sees " + MessageToText(seen.substr(0, size)));
      }
      seen.remove_prefix(size);
    }
    if (seen.empty() || client.gone) return;
    if (!client.closed || (seen[0] != wire::kDataRow && seen[0] != wire::kCopyData)) {
      Problem(std::string("client ") + name + " sees a part of a message");
    }
  }
  void Problem(std::string what) { stage_.problems.push_back(std::move(what)); }

  // The first message that differs.
  static std::string Difference(std::string_view seen, std::string_view recorded) {
    for (;;) {
      const size_t a = WholeMessage(seen), b = WholeMessage(recorded);
      if (a == 0 || b == 0 || seen.substr(0, a) != recorded.substr(0, b)) {
        return "sees " + (a > 0 ? MessageToText(seen.substr(0, a)) : Quoted(seen)) +
               "\n  instead of " +
               (b > 0 ? MessageToText(recorded.substr(0, b)) : Quoted(recorded));
      }
      seen.remove_prefix(a);
      recorded.remove_prefix(b);
    }
  }

  const Conversation& conversation_;
  const Plan plan_;
  std::map<std::string, ReplayBackend*> backends_;
  Stage stage_;
  size_t client_done_ = 0;
  size_t server_done_ = 0;
  bool cut_ = false;
  bool happened_ = false;
};

enum class Expect { kAsRecorded, kConsistent };

class SessionReplayTest : public testing::TestWithParam<Conversation> {
 protected:
  SessionReplayTest() : conversation_(GetParam()) {
    for (const auto& step : conversation_.steps) client_bytes_ += step.bytes.size();
    for (const auto& [name, exchanges] : conversation_.servers) {
      for (const Exchange& exchange : exchanges) server_bytes_ += exchange.answer.size();
    }
  }

  void Run(const Plan& plan, Expect expect) {
    Play play(conversation_, plan);
    expect == Expect::kAsRecorded && !conversation_.options.racy ? play.ExpectAsRecorded()
                                                                 : play.ExpectConsistent();
    ASSERT_TRUE(play.ok()) << Describe(plan) << play.problems();
  }
  // `expect` at every byte of the clients' and of the servers' bytes.
  void AtEveryByte(Plan plan, Expect expect) {
    const size_t stride = Stride();
    const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    const size_t first = 1 + std::hash<std::string>()(test) % stride;
    for (plan.lazy = false;; plan.lazy = true) {
      for (size_t at = first; at <= client_bytes_; at += stride) {
        plan.client_cut = at;
        Run(plan, expect);
        if (HasFatalFailure()) return;
      }
      plan.client_cut = kNever;
      if (plan.lazy) break;
    }
    for (size_t at = first; at <= server_bytes_; at += stride) {
      plan.server_cut = at;
      Run(plan, expect);
      if (HasFatalFailure()) return;
    }
  }
  static std::string Describe(const Plan& plan) {
    const auto number = [](size_t n) { return n == kNever ? "-" : std::to_string(n); };
    return "client cut " + number(plan.client_cut) + " read " + number(plan.client_read) +
           ", server cut " + number(plan.server_cut) + " read " + number(plan.server_read) +
           (plan.lazy ? ", lazy" : "") + (plan.settle_at_cut ? ", settled" : "") +
           (plan.at_once ? ", at once" : "") + (plan.late_logins ? ", late logins" : "") + "\n";
  }

  const Conversation& conversation_;
  size_t client_bytes_ = 0;
  size_t server_bytes_ = 0;
};

TEST_P(SessionReplayTest, SameBytesHoweverReadsAreCut) {
  for (const bool lazy : {false, true}) {
    for (const size_t client_read : {size_t{1}, size_t{7}, kNever}) {
      for (const size_t server_read : {size_t{1}, size_t{5}, kNever}) {
        Run({.client_read = client_read, .server_read = server_read, .lazy = lazy},
            Expect::kAsRecorded);
        if (HasFatalFailure()) return;
      }
    }
  }
  AtEveryByte({}, Expect::kAsRecorded);
  if (HasFatalFailure()) return;
  AtEveryByte({.settle_at_cut = false}, Expect::kAsRecorded);
}

// With several clients, who comes first would decide who gets which server.
TEST_P(SessionReplayTest, SameBytesWhenServersComeLate) {
  if (conversation_.seen.size() > 1) return;
  for (const size_t read : {size_t{1}, kNever}) {
    Run({.server_read = read, .late_logins = true}, Expect::kAsRecorded);
  }
}

TEST_P(SessionReplayTest, NothingStaysWhenTheClientVanishes) {
  Plan plan;
  plan.happens = [](Stage& stage, char client, Stage::Link*) { stage.ClientVanishes(client); };
  AtEveryByte(plan, Expect::kConsistent);
  if (HasFatalFailure()) return;
  plan.settle_at_cut = false;
  AtEveryByte(plan, Expect::kConsistent);
}

TEST_P(SessionReplayTest, TheSessionSurvivesOrEndsWhenAServerDies) {
  Plan plan;
  plan.happens = [](Stage& stage, char, Stage::Link* link) {
    if (link != nullptr) {
      stage.ServerDies(*link);
      return;
    }
    for (const auto& other : stage.links()) {
      if (other->server == nullptr) continue;
      stage.ServerDies(*other);
      return;
    }
  };
  AtEveryByte(plan, Expect::kConsistent);
}

// What a server says last is told once, and nothing else of its end.
TEST_P(SessionReplayTest, TheLastWordsOfAServerReachItsClient) {
  Plan plan;
  plan.happens = [](Stage& stage, char, Stage::Link* link) {
    if (link == nullptr || !link->said.empty()) return;
    auto* const owner = dynamic_cast<Session*>(link->server->owner);
    link->answer = ErrorBytes("57P01", "good bye");
    stage.ServerSpeaks(*link, kNever);
    if (link->server != nullptr) stage.ServerDies(*link);
    for (const auto& [name, client] : stage.clients()) {
      if (client.session.get() != owner || !client.closed) continue;
      const size_t farewell = client.seen.rfind("good bye");
      if (farewell == std::string::npos || client.seen.find("it died") != std::string::npos ||
          client.seen.find("good bye") != farewell) {
        stage.problems.push_back("a client is not told why its server is gone");
      }
    }
  };
  AtEveryByte(plan, Expect::kConsistent);
}

// In the middle of what one server says, all others say what they have to say.
TEST_P(SessionReplayTest, ServersSpeakAtTheSameTime) {
  Plan plan;
  plan.happens = [](Stage& stage, char, Stage::Link* link) {
    for (size_t i = 0; i < stage.links().size(); ++i) {
      Stage::Link& other = *stage.links()[i];
      if (&other == link || !other.reading) continue;
      while (other.server != nullptr && !other.answer.empty()) stage.ServerSpeaks(other, kNever);
    }
  };
  AtEveryByte(plan, Expect::kConsistent);
}

// Where a server has the statement the CancelRequest comes too late each time, as it may.
TEST_P(SessionReplayTest, ALateCancelRequestChangesNothing) {
  Plan plan;
  plan.happens = [](Stage& stage, char name, Stage::Link*) {
    if (!stage.client(name).session->waiting_for_server()) stage.ClientCancels(name);
  };
  AtEveryByte(plan, Expect::kAsRecorded);
}

TEST_P(SessionReplayTest, ACancelRequestEndsAWait) {
  Plan plan;
  plan.happens = [](Stage& stage, char name, Stage::Link*) {
    if (stage.client(name).session->waiting_for_server()) stage.ClientCancels(name);
  };
  AtEveryByte(plan, Expect::kConsistent);
}

TEST_P(SessionReplayTest, AnEqualMapChangesNothing) {
  static const World world(kShop);
  Plan plan;
  plan.happens = [](Stage& stage, char, Stage::Link*) { stage.ChangeMap(world.map, world.schema); };
  AtEveryByte(plan, Expect::kAsRecorded);
}

// Whatever is under way: it waits, or ends as if nothing had been.
TEST_P(SessionReplayTest, AHeldRangeOnlyDelays) {
  static const World world(kShop);
  // DDL on tables of the range is refused meanwhile.
  const bool has_ddl = std::any_of(
      conversation_.steps.begin(), conversation_.steps.end(),
      [](const auto& step) { return step.bytes.find("ALTER TABLE") != std::string::npos; });
  for (const char* const moving : {"moving d 0 s2 held\n", "moving d 1 s1 held\n"}) {
    const World held(std::string(kShop) + moving);
    Plan plan;
    plan.happens = [&](Stage& stage, char, Stage::Link*) {
      stage.ChangeMap(held.map, held.schema);
    };
    plan.then = [&](Stage& stage) { stage.ChangeMap(world.map, world.schema); };
    AtEveryByte(plan, has_ddl ? Expect::kConsistent : Expect::kAsRecorded);
    if (HasFatalFailure()) return;
  }
}

TEST_P(SessionReplayTest, AnotherMapLosesNoServer) {
  const std::string shop = kShop;
  std::string without_s1 = shop;
  without_s1.replace(without_s1.find("s1, 100 "), 8, "").replace(without_s1.find("s1 "), 3, "");
  std::string turned = shop;
  turned.replace(turned.find("s1 s2"), 5, "s2 s1");
  std::string with_s0 = shop;
  with_s0.replace(with_s0.find("s1 s2"), 5, "s0 s1 s2");
  for (const std::string& text : {turned, with_s0, without_s1}) {
    const World world(text);
    Plan plan;
    plan.happens = [&](Stage& stage, char, Stage::Link*) {
      stage.ChangeMap(world.map, world.schema);
    };
    AtEveryByte(plan, Expect::kConsistent);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Conversations, SessionReplayTest, testing::ValuesIn(ReadConversations()),
                         [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace meridian
