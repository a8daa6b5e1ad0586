// The answers that a session still expects from the server that works for it, in order.
//
// What was sent is one thing, what the client must see another: requests that the proxy injected
// (settings, a missing Parse) have answers that the client must not see, and requests that the
// proxy answers itself have none.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/session/prepared_text.h"
#include "router/statement.h"

namespace meridian {

// One statement whose success changes what the session must remember.
struct StatementEffect {
  Ref<const Statement> statement;
  std::string text;                  // of the statement
  Ref<const PreparedText> prepared;  // PREPARE: what it makes
};

struct Pending {
  enum class Show : uint8_t {
    kForward,       // the client sees the answer
    kHideReady,     // ... but not its ReadyForQuery: more statements of the same Query follow
    kSwallow,       // injected: nothing is seen
    kStatusOnly,    // injected: only ParameterStatus is seen (RESET to the client's own start-up
                    // values)
    kLocal,         // not sent: `bytes` are the answer
    kReplaceError,  // injected to fail: the error that comes is replaced by `bytes`
  };
  // What an error among swallowed answers means.
  enum class Purpose : uint8_t {
    kClient,
    kSettings,
    kBegin,
    kPrepare,
    kSync,         // ends the batch's part on one server
    kSyncOfQuery,  // ends a batch that the client has ended by a Query
  };

  // What few of them have.
  struct Detail {
    std::string bytes;
    // Of a Query: one per statement, in order, null where there is nothing to remember; of an
    // Execute: at most one.
    absl::InlinedVector<std::unique_ptr<StatementEffect>, 1> effects;
    size_t next_effect = 0;
    std::string name;  // Parse: the client's name for it
  };

  // The message type of the request: Q, P, B, D, E, C, S, F; 0 for kLocal.
  char request = 0;
  Show show = Show::kForward;
  Purpose purpose = Purpose::kClient;
  bool failed = false;       // an ErrorResponse came
  uint64_t prepared_id = 0;  // Parse: the statement that it puts on the server
  std::unique_ptr<Detail> detail;

  Detail& MakeDetail() {
    if (detail == nullptr) detail = std::make_unique<Detail>();
    return *detail;
  }
  void AddEffect(std::unique_ptr<StatementEffect> effect) {
    MakeDetail().effects.push_back(std::move(effect));
  }
};

// First in, first out. Idle clients are many: an empty queue keeps little memory.
class PendingQueue {
 public:
  bool empty() const { return head_ == items_.size(); }
  size_t size() const { return items_.size() - head_; }
  Pending& front() { return items_[head_]; }
  Pending& back() { return items_.back(); }
  // References to elements end with it.
  Pending& Add(char request, Pending::Show show = Pending::Show::kForward,
               Pending::Purpose purpose = Pending::Purpose::kClient) {
    return items_.emplace_back(Pending{request, show, purpose, false, 0, nullptr});
  }
  void pop_front() {
    items_[head_].detail.reset();
    if (++head_ == items_.size()) {
      clear();
    } else if (head_ >= kCompactAt && head_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  void pop_back() { items_.pop_back(); }
  void clear() {
    constexpr size_t kKept = 8;
    items_.clear();
    if (items_.capacity() > kKept) items_ = std::vector<Pending>();
    head_ = 0;
  }

 private:
  static constexpr size_t kCompactAt = 32;
  std::vector<Pending> items_;
  size_t head_ = 0;
};

}  // namespace meridian
