// Protocol messages as lines of text that a person can read and write: exact in both directions.
#pragma once

#include <string>
#include <string_view>

namespace meridian {

// `"..."` with \0 \n \t \\ \" and \xHH for what is not printable ASCII.
std::string Quoted(std::string_view bytes);

// A whole message of either side: its type and its body, `Q "SELECT 1\0"`.
std::string MessageToText(std::string_view message);

// The message that a line tells: as MessageToText writes it, or a client's message by its name:
//   Query "text"                          Parse "name" "text" OID...
//   Bind "portal" "statement" 'value' NULL ...      (text format)
//   Describe S|P "name"                   Execute "portal" MAX_ROWS
//   Close S|P "name"                      Flush, Sync, CopyDone, Terminate
//   CopyData "bytes"                      CopyFail "reason"
//   Raw "bytes"                           (not a message, or several)
// Throws std::runtime_error where it is none of these.
std::string MessageFromText(std::string_view line);

// The size of the message at the front of `bytes`; 0: it is not whole yet. Precondition: lengths in
// `bytes` are at least 4.
size_t WholeMessage(std::string_view bytes);

}  // namespace meridian
