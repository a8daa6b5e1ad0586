// Admin results as messages, in text and binary format. Pure.
#pragma once

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
  // `codes`: count and codes as in the message, complete. 08P01 where they are not for `columns`
  // columns, 22023 for a code that is neither 0 nor 1.
  static absl::StatusOr<ResultFormats> Read(std::string_view codes, size_t columns);

  bool IsBinary(size_t column) const {
    if (binary_.empty()) return false;
    return binary_.size() == 1 ? binary_[0] : binary_[column];
  }

 private:
  std::vector<bool> binary_;  // none: all text; one: for all columns
};

// RowDescription, or NoData where there are no columns.
void AppendDescription(std::string& out, absl::Span<const AdminColumn> columns,
                       const ResultFormats& formats);
void AppendDataRow(std::string& out, absl::Span<const AdminColumn> columns, const AdminRow& row,
                   const ResultFormats& formats);

// A value in its type's binary format (PostgreSQL: the type's send function). Precondition: `text`
// is in the type's text format; the tables that it comes from are our own.
std::string BinaryValue(uint32_t type, std::string_view text);

}  // namespace meridian
