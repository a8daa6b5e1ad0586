// The fields of a line in COPY's text format, as CopyReadAttributesText finds them (PostgreSQL 15:
// src/backend/commands/copyfromparse.c). Pure; linear time on any line.
#pragma once

#include <string>
#include <string_view>

#include "router/copy/byte_finder.h"
#include "router/copy/copy_row.h"

namespace meridian {

class TextFields {
 public:
  explicit TextFields(char delimiter) : delimiters_(delimiter), backslashes_('\\') {}

  // `row` must stay valid while its fields are read.
  void Begin(const CopyRow& row);
  // The next field as it stands in the line; false behind the last one.
  bool Next(std::string_view* raw);

 private:
  ByteFinder delimiters_;
  ByteFinder backslashes_;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool plain_ = true;
  bool done_ = true;
};

// The value of a field that is not the NULL string: `raw` itself where it has no backslash, else
// `scratch`.
std::string_view DecodeTextField(std::string_view raw, std::string* scratch);

}  // namespace meridian
