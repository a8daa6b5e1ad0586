// The fields of a line in CSV format, as CopyReadAttributesCSV finds them (PostgreSQL 15:
// src/backend/commands/copyfromparse.c). Pure; linear time on any line.
#pragma once

#include <string>
#include <string_view>

#include "router/copy/byte_finder.h"
#include "router/copy/copy_row.h"
#include "router/copy/copy_spec.h"

namespace meridian {

class CsvFields {
 public:
  enum class Result : uint8_t { kField, kNoMore, kUnterminated };
  struct Field {
    std::string_view value;  // into the row, or into the scratch given to Next
    bool quoted = false;     // in part at least: then it is not the NULL string
  };

  explicit CsvFields(const CopySpec& spec);

  // `row` must stay valid while its fields are read.
  void Begin(const CopyRow& row);
  // kUnterminated: the line ends inside of quotes.
  Result Next(std::string* scratch, Field* field);

 private:
  bool TakeQuoted(std::string* value);

  const char quote_;
  const char escape_;
  ByteFinder delimiters_;
  ByteFinder quotes_;
  ByteFinder escapes_;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool done_ = true;
};

}  // namespace meridian
