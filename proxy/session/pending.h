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
#include <utility>

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
  PendingQueue() = default;

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  Pending& front() { return items_[head_]; }
  Pending& back() { return At(size_ - 1); }
  // References to elements end with it.
  Pending& Add(char request, Pending::Show show = Pending::Show::kForward,
               Pending::Purpose purpose = Pending::Purpose::kClient) {
    if (size_ == capacity_) Grow();
    ++size_;
    return back() = {request, show, purpose, false, 0, nullptr};
  }
  void pop_front() {
    front().detail.reset();
    head_ = (head_ + 1) & (capacity_ - 1);
    if (--size_ == 0 && capacity_ > kKept) clear();
  }
  void pop_back() {
    back().detail.reset();
    --size_;
  }
  void clear() { *this = PendingQueue(); }

 private:
  static constexpr size_t kKept = 8;

  explicit PendingQueue(size_t capacity)
      : items_(std::make_unique<Pending[]>(capacity)), capacity_(capacity) {}
  Pending& At(size_t index) { return items_[(head_ + index) & (capacity_ - 1)]; }
  void Grow() {
    PendingQueue grown(capacity_ == 0 ? 1 : 2 * capacity_);
    while (grown.size_ < size_) {
      grown.items_[grown.size_] = std::move(At(grown.size_));
      ++grown.size_;
    }
    *this = std::move(grown);
  }

  // A ring: item i is items_[(head_ + i) mod capacity_].
  std::unique_ptr<Pending[]> items_;
  size_t capacity_ = 0;  // a power of two, or 0
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace meridian
