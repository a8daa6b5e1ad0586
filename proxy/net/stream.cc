#include "proxy/net/stream.h"
#include "proxy/wire/free_memory.h"

#include <array>
#include <utility>

namespace meridian {

Stream::Stream(uv_loop_t* loop, ReadBuffer& buffer, StreamOwner& owner, bool is_unix)
    : buffer_(buffer), owner_(owner), is_unix_(is_unix) {
  if (is_unix) {
    uv_pipe_init(loop, &handle_.pipe, 0);
  } else {
    uv_tcp_init(loop, &handle_.tcp);
  }
  handle_.any.data = this;
}

int Stream::Open(int fd) {
  if (is_unix_) return uv_pipe_open(&handle_.pipe, fd);
  const int status = uv_tcp_open(&handle_.tcp, fd);
  if (status == 0) uv_tcp_nodelay(&handle_.tcp, 1);
  return status;
}

int Stream::fd() const {
  uv_os_fd_t fd = -1;
  return uv_fileno(&handle_.any, &fd) == 0 ? fd : -1;
}

void Stream::OnAlloc(uv_handle_t* handle, size_t /*suggested*/, uv_buf_t* buf) {
  ReadBuffer& buffer = static_cast<Stream*>(handle->data)->buffer_;
  *buf = uv_buf_init(buffer.bytes, sizeof buffer.bytes);
}

void Stream::OnUvRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  Stream& self = *static_cast<Stream*>(stream->data);
  if (size == 0 || self.closing_) return;
  if (size < 0) {
    self.SetReading(false);
    const bool lost = size != UV_EOF;
    self.owner_.OnReadEnd(lost ? uv_strerror(static_cast<int>(size)) : "connection closed", lost);
    return;
  }
  self.owner_.OnRead({buf->base, static_cast<size_t>(size)});
}

void Stream::SetReading(bool on) {
  if (on == reading_ || closing_) return;
  reading_ = on;
  if (on) {
    uv_read_start(stream(), OnAlloc, OnUvRead);
  } else {
    uv_read_stop(stream());
  }
}

void Stream::Flush(wire::OutQueue& queue) {
  if (queue.empty()) return;
  if (closing_) {
    queue.Clear();
    return;
  }
  if (request_ != nullptr) {
    queue.MoveRest(0, next_);
    return;
  }
  constexpr size_t kMaxBuffers = 64;
  std::array<uv_buf_t, kMaxBuffers> buffers;
  unsigned count = 0;
  queue.ForEachSlice([&](std::string_view slice) {
    if (count == kMaxBuffers) return;
    buffers[count++] =
        uv_buf_init(const_cast<char*>(slice.data()), static_cast<unsigned>(slice.size()));
  });
  const int written = uv_try_write(stream(), buffers.data(), count);
  // A write error is seen by the reading side, too: there it is handled.
  const size_t taken = written > 0 ? static_cast<size_t>(written) : 0;
  if (taken == queue.size()) {
    queue.Clear();
    return;
  }
  queue.MoveRest(taken, writing_);
  StartWrite();
}

void Stream::StartWrite() {
  request_ = new uv_write_t;
  request_->data = this;
  const uv_buf_t buffer = uv_buf_init(writing_.data(), static_cast<unsigned>(writing_.size()));
  if (uv_write(request_, stream(), &buffer, 1, OnUvWrite) != 0) {
    delete std::exchange(request_, nullptr);
    wire::FreeMemory(writing_);
  }
}

void Stream::OnUvWrite(uv_write_t* request, int status) {
  Stream& self = *static_cast<Stream*>(request->data);
  delete request;
  self.request_ = nullptr;
  wire::FreeMemory(self.writing_);
  self.writing_.swap(self.next_);
  if (self.closing_) return;
  if (status != 0) {
    wire::FreeMemory(self.writing_);
    if (self.close_after_write_) {
      self.CloseNow();
    } else {
      self.owner_.OnWriteFailed();
    }
    return;
  }
  if (!self.writing_.empty()) {
    self.StartWrite();
  } else if (self.close_after_write_) {
    self.CloseNow();
  } else {
    self.owner_.OnDrained();
  }
}

void Stream::CloseAfterWrite() {
  close_after_write_ = true;
  SetReading(false);
  if (request_ == nullptr) CloseNow();
}

void Stream::CloseNow() {
  if (closing_) return;
  SetReading(false);
  closing_ = true;
  uv_close(&handle_.any,
           [](uv_handle_t* handle) { static_cast<Stream*>(handle->data)->owner_.OnClosed(); });
}

}  // namespace meridian
