// How a log line's message and fields look, as text and as JSON. Pure. Whatever bytes a value has,
// the result is one line of valid UTF-8: a client cannot forge a line.
#pragma once

#include <string>
#include <string_view>

#include "metrics/log.h"

namespace meridian {

// `login failed client=17 user="a b"`: values are quoted when they hold more than plain characters.
std::string FormatLogText(std::string_view message, LogFields fields);

// `"message":"login failed","client":17,"user":"a b"`: the members of an object without its braces,
// which the caller adds with time and level (RFC 8259).
std::string FormatLogJson(std::string_view message, LogFields fields);

}  // namespace meridian
