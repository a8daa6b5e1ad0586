// A server that says again what PostgreSQL said when the conversation was recorded.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tests/proxy/session/conversation.h"
#include "tests/proxy/session/stage.h"

namespace meridian {

class ReplayBackend final : public Backend {
 public:
  struct Options {
    // Answers wait, as PostgreSQL's do, until a message comes that flushes them; otherwise they
    // are there at once.
    bool lazy = false;
    // The rows of a COPY that fails may be missing, or be more.
    bool loose = false;
  };

  ReplayBackend(std::vector<Exchange> exchanges, Options options);

  void OnBytes(std::string_view bytes, bool cleaning) override;
  std::string TakeAnswer() override;
  // It has received what was not recorded: nobody knows what PostgreSQL would say.
  bool closes() const override { return !surprise_.empty(); }
  // That message, as text; empty: none so far.
  const std::string& surprise() const { return surprise_; }
  // The first request that has not come; empty: all have.
  std::string Missing() const;

 private:
  void OnMessage(const std::string& message, bool cleaning);
  bool Match(const std::string& message);
  bool MatchCopyData(std::string_view body);
  bool SkipTo(const std::string& message);
  bool IsIgnored(const std::string& message) const;
  bool MayBeMissing(const Exchange& exchange) const;
  void Say(const Exchange& exchange);

  std::vector<Exchange> exchanges_;
  size_t next_ = 0;
  size_t copy_used_ = 0;  // of the CopyData exchanges_[next_]
  const Options options_;
  bool skipping_ = false;  // up to Sync, because of an error
  std::string partial_;
  std::string waiting_;  // lazy: said, but not flushed
  std::string answer_;
  std::string surprise_;
};

}  // namespace meridian
