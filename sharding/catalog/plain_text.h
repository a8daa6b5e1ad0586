// Settings under which values read, and are read, the same on every server, whatever its
// configuration: rows go from one to the other as text, and are compared as text.
#pragma once

#include <string>

namespace meridian {

// "SET ...; SET ..."
std::string PlainTextScript();
// For the start-up parameter "options" of a connection.
std::string PlainTextOptions();

}  // namespace meridian
