// One socket (TCP or unix) on a libuv loop: reads into the loop's shared buffer, writes with as few
// system calls as possible. One worker's thread only.
#pragma once

#include <uv.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/wire/out_queue.h"

namespace meridian {

// The memory that all reads of one loop go to.
inline constexpr size_t kReadBufferBytes = 64 << 10;
struct ReadBuffer {
  char bytes[kReadBufferBytes];
};

class StreamOwner {
 public:
  // `bytes` are valid until the call returns.
  virtual void OnRead(std::string_view bytes) = 0;
  // Nothing more will be read: end of file, behind which the peer may still read, or `lost`.
  virtual void OnReadEnd(std::string_view why, bool lost) = 0;
  // What the kernel had not taken is written.
  virtual void OnDrained() = 0;
  // What was queued could not be written: the peer is gone. The reading side tells, too, unless it
  // has ended.
  virtual void OnWriteFailed() {}
  // The handle is gone; the owner may be destroyed.
  virtual void OnClosed() = 0;

 protected:
  ~StreamOwner() = default;
};

class Stream {
 public:
  Stream(uv_loop_t* loop, ReadBuffer& buffer, StreamOwner& owner, bool is_unix);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Takes over a connected socket. 0 or a libuv error.
  int Open(int fd);
  uv_handle_t* handle() { return &handle_.any; }
  uv_tcp_t* tcp() { return &handle_.tcp; }
  uv_pipe_t* pipe() { return &handle_.pipe; }
  bool is_unix() const { return is_unix_; }
  int fd() const;  // -1: closed

  void SetReading(bool on);
  // Writes what is queued; what the kernel does not take is copied and written when it can.
  void Flush(wire::OutQueue& queue);
  size_t backlog() const { return writing_.size() + next_.size(); }
  // Closes when everything is written, or at once.
  void CloseAfterWrite();
  void CloseNow();
  bool closing() const { return closing_; }

 private:
  void StartWrite();
  static void OnAlloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buf);
  static void OnUvRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf);
  static void OnUvWrite(uv_write_t* request, int status);

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle_); }

  union Handle {
    uv_handle_t any;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_;
  ReadBuffer& buffer_;
  StreamOwner& owner_;
  uv_write_t* request_ = nullptr;  // while a write is under way
  std::string writing_;
  std::string next_;
  bool is_unix_;
  bool reading_ = false;
  bool closing_ = false;
  bool close_after_write_ = false;
};

}  // namespace meridian
