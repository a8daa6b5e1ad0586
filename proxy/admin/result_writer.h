// Admin results as messages, in text and binary format. Pure.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/admin/table_result.h"

namespace meridian {

// The result formats of a Bind.
class ResultFormats {
 public:
  ResultFormats() = default;  // all text
  // `codes`: count and codes as in the message. 08P01 where they are not for `columns` columns,
  // 22023 for a code that is neither 0 nor 1.
  static absl::StatusOr<ResultFormats> Read(std::string_view codes, size_t columns);

  bool IsBinary(size_t column) const {
    return binary_.size() == 1 ? binary_[0] : column < binary_.size() && binary_[column];
  }

 private:
  std::vector<bool> binary_;  // none: all text; one: for all
};

// RowDescription, or NoData where there are no columns.
void AppendDescription(std::string& out, absl::Span<const AdminColumn> columns,
                       const ResultFormats& formats);
void AppendRow(std::string& out, absl::Span<const AdminColumn> columns, const AdminRow& row,
               const ResultFormats& formats);

// A value in its type's binary format (the type's send function in PostgreSQL). `text` is in text
// format and right for the type: the tables that it comes from are our own.
std::string BinaryValue(uint32_t type, std::string_view text);

}  // namespace meridian
