// Bytes on their way to one peer: borrowed slices of the read buffer, and bytes of our own, in
// order.
//
// During one event (a read, a timer, ...) sessions append; at its end the driver writes everything
// with one system call and copies what the kernel did not take. So forwarded bytes are copied only
// for a slow peer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace meridian::wire {

class OutQueue {
 public:
  // Queues bytes that stay valid and unchanged until the driver has written or copied them (the end
  // of the event).
  void Borrow(std::string_view bytes);
  // To append bytes of our own: they follow everything queued so far. Valid until the next call of
  // any member.
  std::string& Own() { return own_; }
  void Append(std::string_view bytes) { own_.append(bytes); }

  bool empty() const { return slices_.empty() && own_.size() == sealed_; }
  size_t size() const { return borrowed_bytes_ + own_.size(); }

  // For the driver: the slices in order; valid until the queue changes.
  const std::vector<std::string_view>& Slices();
  // For the driver: everything from byte `written` on is appended to `rest`, and the queue is empty
  // again.
  void MoveRest(size_t written, std::string& rest);
  void Clear();

 private:
  struct Slice {
    const char* data;  // nullptr: in own_
    size_t begin;      // in own_
    size_t size;
  };
  void Seal();

  std::vector<Slice> slices_;
  std::vector<std::string_view> views_;
  std::string own_;
  size_t sealed_ = 0;  // own_[0, sealed_) is in slices_
  size_t borrowed_bytes_ = 0;
};

}  // namespace meridian::wire
