// The answers that a session still expects from the server that works for it, in order.
//
// What was sent is one thing, what the client must see another: requests that the proxy injected
// (settings, a missing Parse) have answers that the client must not see, and requests that the
// proxy answers itself have none.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <deque>
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
  enum class Purpose : uint8_t { kClient, kSettings, kBegin, kPrepare, kSync };

  // The message type of the request: Q, P, B, D, E, C, S, F; 0 for kLocal.
  char request = 0;
  Show show = Show::kForward;
  Purpose purpose = Purpose::kClient;
  bool failed = false;  // an ErrorResponse came
  std::string bytes;
  // Of a Query: one per statement, in order, null where there is nothing to remember; of an
  // Execute: at most one.
  absl::InlinedVector<std::unique_ptr<StatementEffect>, 1> effects;
  size_t next_effect = 0;
  uint64_t prepared_id = 0;  // Parse: the statement that it puts on the server
  std::string name;          // Parse: the client's name for it
};

using PendingQueue = std::deque<Pending>;

}  // namespace meridian
