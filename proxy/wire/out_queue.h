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
  // of the event). Neighbours in memory become one slice.
  void Borrow(std::string_view bytes) {
    borrowed_bytes_ += bytes.size();
    if (!borrowed_.empty() && borrowed_.back().IsBefore(bytes, own_.size())) {
      borrowed_.back().size += bytes.size();
    } else {
      AddBorrowed(bytes);
    }
  }
  // To append bytes of our own: they follow everything queued so far. Valid until the next call of
  // any member.
  std::string& Own() { return own_; }
  void Append(std::string_view bytes) { own_.append(bytes); }

  bool empty() const { return borrowed_.empty() && own_.empty(); }
  size_t size() const { return borrowed_bytes_ + own_.size(); }

  // For the driver: calls visit(std::string_view) with the slices in order.
  template <typename Visit>
  void ForEachSlice(Visit visit) const {
    const std::string_view own = own_;
    size_t done = 0;  // of our own
    for (const Borrowed& slice : borrowed_) {
      if (slice.own_before > done) visit(own.substr(done, slice.own_before - done));
      done = slice.own_before;
      visit(std::string_view(slice.data, slice.size));
    }
    if (own.size() > done) visit(own.substr(done));
  }
  // For the driver: everything from byte `written` on is appended to `rest`, and the queue is empty
  // again.
  void MoveRest(size_t written, std::string& rest);
  void Clear();

 private:
  struct Borrowed {
    const char* data;
    size_t size;
    size_t own_before;  // it stands behind so many bytes of our own

    bool IsBefore(std::string_view bytes, size_t own_size) const {
      return data + size == bytes.data() && own_before == own_size;
    }
  };
  void AddBorrowed(std::string_view bytes);

  std::vector<Borrowed> borrowed_;
  std::string own_;
  size_t borrowed_bytes_ = 0;
};

}  // namespace meridian::wire
