// Giving a string's memory back.
#pragma once

#include <string>

namespace meridian::wire {

// Empties it. `text = std::string()` would keep its memory: libstdc++ copies a short string into
// what is there.
inline void FreeMemory(std::string& text) { std::string().swap(text); }

}  // namespace meridian::wire
