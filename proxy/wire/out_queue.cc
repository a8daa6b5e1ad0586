#include "proxy/wire/out_queue.h"

#include <algorithm>

#include "proxy/wire/free_memory.h"

namespace meridian::wire {

void OutQueue::AddBorrowed(std::string_view bytes) {
  if (!bytes.empty()) borrowed_.push_back({bytes.data(), bytes.size(), own_.size()});
}

void OutQueue::MoveRest(size_t written, std::string& rest) {
  ForEachSlice([&](std::string_view slice) {
    const size_t skip = std::min(written, slice.size());
    written -= skip;
    rest.append(slice.substr(skip));
  });
  Clear();
}

void OutQueue::Clear() {
  // An idle connection should not keep the memory of its largest burst.
  constexpr size_t kKeptBytes = 1024;
  borrowed_.clear();
  if (own_.capacity() > kKeptBytes) {
    FreeMemory(own_);
  } else {
    own_.clear();
  }
  borrowed_bytes_ = 0;
}

}  // namespace meridian::wire
