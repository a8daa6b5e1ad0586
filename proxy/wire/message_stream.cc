#include "proxy/wire/message_stream.h"

#include <algorithm>

#include "sharding/byte_reader.h"

namespace meridian::wire {
namespace {

bool IsBulk(char type) { return type == kDataRow || type == kCopyData; }

}  // namespace

MessageStream::Event MessageStream::StartChunk(std::string_view& bytes, char type, uint64_t size) {
  const size_t taken = static_cast<size_t>(std::min<uint64_t>(size, bytes.size()));
  Event event{Kind::kChunk, type, true, taken == size, bytes.substr(0, taken)};
  bytes.remove_prefix(taken);
  chunk_left_ = size - taken;
  chunk_type_ = type;
  return event;
}

MessageStream::Event MessageStream::Next(std::string_view& bytes) {
  if (partial_done_) {
    partial_.clear();
    partial_done_ = false;
  }
  if (chunk_left_ > 0) {
    if (bytes.empty()) return {};
    const size_t taken = static_cast<size_t>(std::min<uint64_t>(chunk_left_, bytes.size()));
    Event event{Kind::kChunk, chunk_type_, false, taken == chunk_left_, bytes.substr(0, taken)};
    bytes.remove_prefix(taken);
    chunk_left_ -= taken;
    return event;
  }
  if (!partial_.empty() || bytes.size() < kHeaderBytes) return Continue(bytes);

  const char type = bytes[0];
  const uint32_t length = LoadU32(bytes.data() + 1);
  if (length < 4) return {Kind::kBroken, type, false, false, {}};
  const uint64_t size = uint64_t{length} + 1;
  if (IsBulk(type)) return StartChunk(bytes, type, size);
  if (size > kMaxWholeMessageBytes) return {Kind::kBroken, type, false, false, {}};
  if (size > bytes.size()) return Continue(bytes);
  Event event{Kind::kMessage, type, true, true, bytes.substr(0, size)};
  bytes.remove_prefix(size);
  return event;
}

// Gathers a message that is not whole in `bytes`.
MessageStream::Event MessageStream::Continue(std::string_view& bytes) {
  if (partial_.size() < kHeaderBytes) {
    const size_t wanted = std::min(kHeaderBytes - partial_.size(), bytes.size());
    partial_.append(bytes.substr(0, wanted));
    bytes.remove_prefix(wanted);
    if (partial_.size() < kHeaderBytes) return {};
  }
  const char type = partial_[0];
  const uint32_t length = LoadU32(partial_.data() + 1);
  if (length < 4) return {Kind::kBroken, type, false, false, {}};
  const uint64_t size = uint64_t{length} + 1;
  if (IsBulk(type)) {
    partial_done_ = true;
    chunk_type_ = type;
    chunk_left_ = size - kHeaderBytes;
    return {Kind::kChunk, type, true, chunk_left_ == 0, partial_, true};
  }
  if (size > kMaxWholeMessageBytes) return {Kind::kBroken, type, false, false, {}};
  const size_t wanted = std::min<size_t>(size - partial_.size(), bytes.size());
  partial_.append(bytes.substr(0, wanted));
  bytes.remove_prefix(wanted);
  if (partial_.size() < size) return {};
  partial_done_ = true;
  return {Kind::kMessage, type, true, true, partial_, true};
}

}  // namespace meridian::wire
