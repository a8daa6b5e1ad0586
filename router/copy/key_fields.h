// Reads the key columns' fields out of one row of COPY data, and decodes nothing else.
#pragma once

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <string>
#include <vector>

#include "router/copy/copy_row.h"
#include "router/copy/copy_spec.h"
#include "router/copy/csv_fields.h"
#include "router/copy/text_fields.h"

namespace meridian {

class KeyFields {
 public:
  explicit KeyFields(const CopySpec& spec);

  // Sets fields(): one per key column, as their types' input functions (binary: receive functions)
  // get them. Valid until the next call and while the row is. 22P04 where the row has too few
  // fields.
  absl::Status Read(const CopyRow& row);
  absl::Span<const CopyField> fields() const { return fields_; }

 private:
  struct Wanted {
    size_t field;       // its place in a row
    size_t key_column;  // whose value it is
  };

  absl::Status ReadText(const CopyRow& row);
  absl::Status ReadCsv(const CopyRow& row);
  void ReadBinary(const CopyRow& row);
  CopyField CsvValue(size_t key_column, const CsvFields::Field& field) const;

  const CopySpec spec_;
  TextFields text_;
  CsvFields csv_;
  std::vector<Wanted> wanted_;  // by field
  std::vector<CopyField> fields_;
  std::vector<std::string> scratch_;  // by key column
};

}  // namespace meridian
