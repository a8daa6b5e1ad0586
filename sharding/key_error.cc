#include "sharding/key_error.h"

#include <fmt/format.h>

#include <string>

#include "sharding/sql_status.h"

namespace meridian {
namespace {

// An input may be as long as a message; its error need not be. Inputs that get here are ASCII.
std::string_view Shortened(std::string_view text) {
  constexpr size_t kShownBytes = 200;
  return text.substr(0, kShownBytes);
}

}  // namespace

absl::Status InvalidKeyText(std::string_view type_name, std::string_view text) {
  return SqlStatus(
      "22P02", fmt::format("invalid input syntax for type {}: \"{}\"", type_name, Shortened(text)));
}

absl::Status KeyOutOfRange(std::string_view type_name, std::string_view text) {
  return SqlStatus(
      "22003", fmt::format("value \"{}\" is out of range for type {}", Shortened(text), type_name));
}

absl::Status NumericOverflow() { return SqlStatus("22003", "value overflows numeric format"); }

absl::Status DatetimeFieldOverflow(std::string_view text) {
  return SqlStatus("22008",
                   fmt::format("date/time field value out of range: \"{}\"", Shortened(text)));
}

absl::Status DatetimeOutOfRange(std::string_view type_name) {
  return SqlStatus("22008", fmt::format("{} out of range", type_name));
}

absl::Status InvalidKeyBinary(std::string_view type_name) {
  return SqlStatus("22P03", fmt::format("incorrect binary data format for type {}", type_name));
}

absl::Status OnlyServerKnows(std::string_view type_name) {
  return absl::UnimplementedError(
      fmt::format("only the server can tell the meaning of this {}", type_name));
}

}  // namespace meridian
