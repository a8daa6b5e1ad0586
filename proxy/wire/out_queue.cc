#include "proxy/wire/out_queue.h"
#include "proxy/wire/free_memory.h"

namespace meridian::wire {

void OutQueue::Seal() {
  if (own_.size() == sealed_) return;
  slices_.push_back({nullptr, sealed_, own_.size() - sealed_});
  sealed_ = own_.size();
}

void OutQueue::Borrow(std::string_view bytes) {
  if (bytes.empty()) return;
  Seal();
  borrowed_bytes_ += bytes.size();
  if (!slices_.empty()) {
    Slice& last = slices_.back();
    if (last.data != nullptr && last.data + last.size == bytes.data()) {
      last.size += bytes.size();
      return;
    }
  }
  slices_.push_back({bytes.data(), 0, bytes.size()});
}

const std::vector<std::string_view>& OutQueue::Slices() {
  Seal();
  views_.clear();
  for (const Slice& slice : slices_) {
    views_.emplace_back(slice.data != nullptr ? slice.data : own_.data() + slice.begin, slice.size);
  }
  return views_;
}

void OutQueue::MoveRest(size_t written, std::string& rest) {
  for (std::string_view slice : Slices()) {
    const size_t skip = written < slice.size() ? written : slice.size();
    written -= skip;
    rest.append(slice.substr(skip));
  }
  Clear();
}

void OutQueue::Clear() {
  // An idle connection should not keep the memory of its largest burst.
  constexpr size_t kKeptBytes = 1024;
  slices_.clear();
  if (own_.capacity() > kKeptBytes) {
    FreeMemory(own_);
  } else {
    own_.clear();
  }
  sealed_ = 0;
  borrowed_bytes_ = 0;
}

}  // namespace meridian::wire
