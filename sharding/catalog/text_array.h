// PostgreSQL's text form of text[] (PostgreSQL documentation, "Array Input and Output Syntax").
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meridian {

// {"a","b"}: every element quoted.
std::string FormatTextArray(const std::vector<std::string>& elements);
// One dimension, no NULL elements; nullopt for anything else.
std::optional<std::vector<std::string>> ParseTextArray(std::string_view text);

}  // namespace meridian
