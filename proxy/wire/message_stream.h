// Cuts a server's byte stream into messages without buffering the bulk of it.
//
// DataRow and CopyData, which may be as large as the server likes, are handed on in the chunks in
// which they come; every other message is handed on whole, kept until it is complete if reads cut
// it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/wire/messages.h"

namespace meridian::wire {

class MessageStream {
 public:
  enum class Kind : uint8_t {
    kNone,     // all bytes are consumed
    kMessage,  // a whole message
    kChunk,    // a part of a DataRow or CopyData message
    kBroken,   // not the protocol: drop the connection
  };
  struct Event {
    Kind kind = Kind::kNone;
    char type = 0;
    bool starts = false;     // kChunk: holds the message's first byte
    bool ends = false;       // kChunk: holds the message's last byte
    std::string_view bytes;  // header included
    // `bytes` lie in the stream's own memory: valid until the next call only, else as long as the
    // bytes that Next was given.
    bool kept = false;
    std::string_view body() const { return bytes.substr(kHeaderBytes); }
  };

  // A message other than DataRow and CopyData that is larger than this breaks the stream.
  static constexpr uint32_t kMaxWholeMessageBytes = 64 << 20;

  // Takes the next event off the front of `bytes`.
  Event Next(std::string_view& bytes);

  // Whether the stream stands between two messages.
  bool AtBoundary() const { return chunk_left_ == 0 && (partial_.empty() || partial_done_); }

 private:
  Event Continue(std::string_view& bytes);
  Event StartChunk(std::string_view& bytes, char type, uint64_t size);

  std::string partial_;        // the start of a message that a read has cut
  bool partial_done_ = false;  // partial_ was handed out: forget it at the next call
  uint64_t chunk_left_ = 0;
  char chunk_type_ = 0;
};

}  // namespace meridian::wire
