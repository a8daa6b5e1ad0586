// Sessions between hostile clients and hostile servers. The input's first eight bytes are the seed
// of everything that is not client a's bytes: what servers say (mostly the protocol), how reads are
// cut, and what happens in between.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>

#include "proxy/wire/message_writer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/proxy/pool/fake_host.h"
#include "tests/proxy/session/message_text.h"
#include "tests/proxy/session/shop_world.h"
#include "tests/proxy/session/stage.h"

namespace {

using namespace meridian;

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(static_cast<uint32_t>(seed ^ (seed >> 32))) {}
  size_t Below(size_t limit) { return engine_() % limit; }
  bool OneIn(size_t times) { return Below(times) == 0; }

 private:
  std::minstd_rand engine_;
};

std::string Message(char type, std::string_view body = {}) {
  std::string message;
  wire::MessageBuilder(message, type).Bytes(body);
  return message;
}

// A server that speaks the protocol and means nothing by it. It may lie.
class HostileServer : public Backend {
 public:
  HostileServer(Random& random, bool honest, bool eager)
      : random_(random), honest_(honest), eager_(eager) {}

  void OnBytes(std::string_view bytes, bool /*cleaning*/) override {
    partial_ += bytes;
    while (const size_t size = WholeMessage(partial_)) {
      Answer(partial_[0],
             std::string_view(partial_).substr(wire::kHeaderBytes, size - wire::kHeaderBytes));
      partial_.erase(0, size);
    }
    if (!honest_ && !said_.empty() && random_.OneIn(8)) {
      said_[random_.Below(said_.size())] = static_cast<char>(random_.Below(256));
    }
  }
  std::string TakeAnswer() override {
    if (!eager_ && !flushed_) return {};
    flushed_ = false;
    return std::exchange(said_, {});
  }
  // The session's own prepared transactions that nobody has ended, but for those that could not be.
  const std::set<std::string>& prepared() const { return prepared_; }

 private:
  void Answer(char type, std::string_view body) {
    if (std::string_view("dcfX").find(type) != std::string_view::npos || copying_) {
      if (copying_) Copy(type);
      return;
    }
    if (random_.OneIn(30)) wire::AppendParameterStatus(said_, "application_name", "x");
    if (random_.OneIn(30)) {
      wire::AppendError(said_, wire::Severity::kNotice, {"00000", "well", "", "", 0});
    }
    flushed_ |= std::string_view("QSHF").find(type) != std::string_view::npos;
    if (type == wire::kQuery) return Query(body);
    if (type == wire::kSync) {
      skipping_ = false;
      if (random_.OneIn(20)) Error();
      return Ready();
    }
    if (skipping_ || type == wire::kFlush) return;
    if (random_.OneIn(12)) {
      skipping_ = type != wire::kFunctionCall;
      Error();
      flushed_ = true;
    } else {
      Extended(type, body);
    }
    if (type == wire::kFunctionCall) Ready();
  }
  void Extended(char type, std::string_view body) {
    switch (type) {
      case wire::kParse:
        // As PostgreSQL, only of what begins so; of others the Sync behind it is owed.
        copy_next_ = body.substr(body.find('\0') + 1).starts_with("COPY") &&
                     body.find("STDIN") != std::string_view::npos;
        said_ += Message(wire::kParseComplete);
        break;
      case wire::kBind:
        said_ += Message(wire::kBindComplete);
        break;
      case wire::kClose:
        said_ += Message(wire::kCloseComplete);
        break;
      case wire::kDescribe:
        if (body.starts_with('S')) said_ += Message(wire::kParameterDescription, {"\0\0", 2});
        said_ += Message(wire::kNoData);
        break;
      case wire::kExecute:
        if (copy_next_) return StartCopy(false);
        Rows();
        if (random_.OneIn(4)) {
          said_ += Message(wire::kPortalSuspended);
        } else {
          wire::AppendCommandComplete(said_, "SELECT 1");
        }
        break;
      case wire::kFunctionCall:
        said_ += Message(wire::kFunctionCallResponse, "\xff\xff\xff\xff");
        break;
      default:
        break;
    }
  }
  void Query(std::string_view text) {
    const auto says = [text](std::string_view word) {
      return text.find(word) != std::string_view::npos;
    };
    const bool fails = random_.OneIn(8) && !says("ROLLBACK");
    if (says("STDIN") && !fails) return StartCopy(true);
    if (!fails || says("COMMIT PREPARED")) NotePrepared(text);
    if (fails) {
      Error();
      return Ready();
    }
    if (says("BEGIN") || says("START TRANSACTION")) status_ = wire::kInTransaction;
    if (says("SELECT") || says("RETURNING")) {
      wire::AppendTextRowDescription(said_, {"x"});
      Rows();
    }
    const bool failed = status_ == wire::kFailedTransaction;
    if (says("COMMIT") || says("PREPARE TRANSACTION") ||
        (says("ROLLBACK") && !says("ROLLBACK TO"))) {
      status_ = wire::kIdle;
      wire::AppendCommandComplete(said_, failed || says("ROLLBACK") ? "ROLLBACK" : "COMMIT");
    } else if (says("ROLLBACK TO")) {
      if (failed) status_ = wire::kInTransaction;
      wire::AppendCommandComplete(said_, "ROLLBACK");
    } else {
      wire::AppendCommandComplete(said_, "DO");
      for (const char byte : text) {
        if (byte == ';') wire::AppendCommandComplete(said_, "DO");
      }
    }
    Ready();
  }
  void NotePrepared(std::string_view text) {
    const size_t name = text.find("meridian_test_");
    if (name == std::string_view::npos) return;
    const std::string transaction(text.substr(name, text.find('\'', name) - name));
    if (text.starts_with("PREPARE TRANSACTION")) {
      if (status_ == wire::kInTransaction) prepared_.insert(transaction);
    } else {
      prepared_.erase(transaction);
    }
  }
  void StartCopy(bool simple) {
    said_ += Message(wire::kCopyInResponse, {"\0\0\0", 3});
    copying_ = flushed_ = true;
    simple_ = simple;
  }
  void Copy(char type) {
    const bool fails = type == wire::kCopyFail || (type == wire::kCopyData && random_.OneIn(10));
    if (type != wire::kCopyDone && !fails) return;
    copying_ = false;
    flushed_ = true;
    if (fails) {
      Error();
      skipping_ = !simple_;
    } else {
      wire::AppendCommandComplete(said_, "COPY 1");
    }
    if (simple_) Ready();
  }
  void Rows() {
    for (size_t rows = random_.Below(3); rows > 0; --rows) wire::AppendTextDataRow(said_, {"abc"});
  }
  void Error() {
    wire::AppendError(said_, wire::Severity::kError, {"22012", "no", "", "", 0});
    if (status_ == wire::kInTransaction) status_ = wire::kFailedTransaction;
  }
  void Ready() { wire::AppendReadyForQuery(said_, status_); }

  Random& random_;
  const bool honest_;
  const bool eager_;
  std::string partial_, said_;
  char status_ = wire::kIdle;
  bool flushed_ = false;
  bool skipping_ = false;
  bool copying_ = false;
  bool simple_ = false;     // the COPY
  bool copy_next_ = false;  // the statement parsed last
  std::set<std::string> prepared_;
};

std::vector<std::string> ClientBytes() {
  std::vector<std::string> all;
  for (const Conversation& conversation : ReadConversations()) {
    std::string& bytes = all.emplace_back();
    for (const auto& step : conversation.steps) bytes += step.bytes;
  }
  return all;
}

const std::vector<std::string>& Seeds() {
  static const std::vector<std::string> seeds = ClientBytes();
  return seeds;
}

const World& OtherWorld(size_t which) {
  static const std::string shop = std::string(kShop).substr(std::string_view(kShop).find('\n') + 1);
  static const World worlds[] = {World(kShop), World("shards s2 s1\n" + shop),
                                 World("shards s0 s1 s2\n" + shop)};
  return worlds[which];
}

class Fuzz {
 public:
  Fuzz(uint64_t seed, std::string_view input)
      : random_(seed),
        honest_(!random_.OneIn(3)),
        eager_(random_.OneIn(2)),
        stage_(Options(), [this](const std::string&) {
          return std::make_unique<HostileServer>(random_, honest_, eager_);
        }) {
    stage_.honest_servers = honest_;
    unsent_['a'] = std::string(input);
    unsent_['b'] = Seeds()[random_.Below(Seeds().size())];
  }

  // Whether all was well.
  bool Run(bool trace) {
    stage_.trace = trace;
    while (!unsent_['a'].empty() || !unsent_['b'].empty()) {
      Happen();
      Check();
    }
    stage_.Settle();
    Check();
    for (const auto& [name, client] : stage_.clients()) {
      CheckEnd(name, client);
      if (honest_ && eager_ && !client.closed && client.session->owes_answer() &&
          !client.session->waiting_for_server()) {
        stage_.problems.push_back(std::string("client ") + name + " waits for ever");
      }
    }
    if (honest_ && eager_ && !server_died_) CheckPrepared();
    for (const auto& [name, client] : stage_.clients()) stage_.ClientVanishes(name);
    stage_.Settle();
    // Servers that do not answer what cleans them are given up.
    stage_.Tick(2 * ServerPools::kCleaningTimeoutUs);
    for (const auto& link : stage_.links()) {
      if (link->server != nullptr && link->server->state != Server::State::kIdle) {
        stage_.problems.push_back(link->name + " does not become idle");
      }
    }
    Check();
    for (const std::string& problem : stage_.problems) {
      std::fprintf(stderr, "%s\n", problem.c_str());
    }
    return stage_.problems.empty();
  }

 private:
  Conversation::Options Options() {
    Conversation::Options options;
    options.pool_size = 1 + random_.Below(2);
    if (random_.OneIn(4)) options.session_mode = "b";
    if (random_.OneIn(4)) options.startup['a'] = {{"datestyle", "German"}};
    return options;
  }
  void Happen() {
    const char name = random_.OneIn(2) ? 'a' : 'b';
    switch (random_.Below(100)) {
      case 0:
        if (!stage_.links().empty()) {
          Stage::Link& link = *stage_.links()[random_.Below(stage_.links().size())];
          if (link.server != nullptr) {
            server_died_ = true;
            stage_.ServerDies(link);
          }
        }
        return;
      case 1:
        if (!stage_.client(name).session->settling()) stage_.ClientVanishes(name);
        return;
      case 2:
        stage_.ClientCancels(name);
        return;
      case 3: {
        const World& world = OtherWorld(random_.Below(3));
        stage_.ChangeMap(world.map, world.schema);
        return;
      }
      case 4:
        stage_.Tick(100'000);
        return;
      default:
        break;
    }
    if (random_.OneIn(3)) {
      std::string& unsent = unsent_[name];
      const size_t size = std::min(unsent.size(), 1 + random_.Below(random_.OneIn(3) ? 200 : 20));
      stage_.ClientSends(name, unsent.substr(0, size));
      unsent.erase(0, size);
      return;
    }
    stage_.Turn([this](Stage::Link& link, size_t available) {
      stage_.ServerSpeaks(link, random_.OneIn(2) ? available : 1 + random_.Below(available));
    });
  }
  void Check() {
    for (const auto& [name, client] : stage_.clients()) CheckSeen(name, client);
  }
  // What honest servers say reaches clients in whole messages.
  void CheckSeen(char name, const Stage::Client& client) {
    if (!honest_) return;
    size_t& checked = checked_[name];
    std::string_view seen = std::string_view(client.seen).substr(checked);
    while (const size_t size = WholeMessage(seen)) {
      if (std::string_view("123ACDEGHINSTVZcdnst").find(seen[0]) == std::string_view::npos) {
        stage_.problems.push_back("a client sees " + MessageToText(seen.substr(0, size)));
        return;
      }
      seen.remove_prefix(size);
      checked += size;
    }
  }

  // Where all servers have answered everything, none holds a prepared transaction: recovery has
  // nothing to do.
  void CheckPrepared() {
    for (const auto& link : stage_.links()) {
      for (const std::string& name : static_cast<HostileServer&>(*link->backend).prepared()) {
        stage_.problems.push_back(link->name + " is left with " + name);
      }
    }
  }

  // Only where the session has ended may the last message, a row, be cut.
  void CheckEnd(char name, const Stage::Client& client) {
    if (!honest_ || client.gone || checked_[name] == client.seen.size()) return;
    const std::string_view rest = std::string_view(client.seen).substr(checked_[name]);
    if (!client.closed || (rest[0] != wire::kDataRow && rest[0] != wire::kCopyData)) {
      stage_.problems.push_back("a client sees a part of a message");
    }
  }

  Random random_;
  const bool honest_;
  const bool eager_;
  Stage stage_;
  std::map<char, std::string> unsent_;
  std::map<char, size_t> checked_;
  bool server_died_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint64_t seed = 0;
  if (size < sizeof(seed)) return 0;
  std::memcpy(&seed, data, sizeof(seed));
  const std::string_view input(reinterpret_cast<const char*>(data) + sizeof(seed),
                               size - sizeof(seed));
  if (Fuzz(seed, input).Run(false)) return 0;
  Fuzz(seed, input).Run(true);  // again, to be read
  std::abort();
}

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> inputs;
  uint64_t seed = 1;
  for (const std::string& bytes : Seeds()) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    inputs.push_back(std::string(reinterpret_cast<const char*>(&seed), sizeof(seed)) + bytes);
  }
  return inputs;
}
