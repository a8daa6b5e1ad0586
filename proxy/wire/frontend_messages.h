// Views of the client's extended-query messages; valid while the message is.
//
// Each Parse...() takes a message body (without type and length) and gives 08P01 where PostgreSQL
// does.
#pragma once

#include <absl/container/inlined_vector.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace meridian::wire {

struct ParseView {
  std::string_view name;
  std::string_view text;
  std::string_view parameter_types;  // OIDs, 4 bytes each in network order
  size_t parameter_type_count() const { return parameter_types.size() / 4; }
};

struct BindView {
  std::string_view portal;
  std::string_view statement;
  std::string_view after_names;  // formats, values, result formats: the rest of the body, unchanged
  absl::InlinedVector<uint16_t, 8> formats;
  absl::InlinedVector<std::optional<std::string_view>, 8> values;
  std::string_view result_formats;  // count and codes, as in the message

  bool IsBinary(size_t parameter) const {
    if (formats.empty()) return false;
    return (formats.size() == 1 ? formats[0] : formats[parameter]) == 1;
  }
};

struct DescribeView {  // also Close
  char kind = 'S';     // 'S' statement, 'P' portal
  std::string_view name;
};

struct ExecuteView {
  std::string_view portal;
  uint32_t max_rows = 0;  // 0: all
};

absl::StatusOr<ParseView> ParseParse(std::string_view body);
// Fills `bind`, reusing its memory.
absl::Status ParseBind(std::string_view body, BindView* bind);
absl::StatusOr<DescribeView> ParseDescribe(std::string_view body);
absl::StatusOr<ExecuteView> ParseExecute(std::string_view body);

}  // namespace meridian::wire
