// The messages that move rows from one shard to another: by binary values, which are exact whatever
// the session's settings.
#pragma once

#include <string>
#include <string_view>

#include "router/decision.h"

namespace meridian {

// Takes the rows from where the statement has changed them; answered by DataRow messages, whose
// values PutRequest gives back as they are, one CommandComplete and one ReadyForQuery.
std::string TakeRequest(const KeyMove& move);
// Appends to `puts` what inserts each of the rows. Precondition: `data_rows` are whole messages.
void AppendPuts(std::string_view data_rows, std::string& puts);
// The whole of it; answered by a CommandComplete per row, and one ReadyForQuery.
std::string PutRequest(const KeyMove& move, std::string_view puts);

}  // namespace meridian
