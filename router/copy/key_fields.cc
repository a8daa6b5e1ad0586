#include "router/copy/key_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "router/copy/binary_cutter.h"
#include "router/copy/copy_error.h"

namespace meridian {
namespace {

absl::Status MissingField(const CopyRow& row, size_t field) {
  return BadCopyFormat(fmt::format("missing data for the distribution key, field {}", field + 1),
                       row.line);
}

bool Option(const std::vector<bool>& by_key_column, size_t key_column) {
  return key_column < by_key_column.size() && by_key_column[key_column];
}

}  // namespace

KeyFields::KeyFields(const CopySpec& spec)
    : spec_(spec),
      text_(spec.delimiter),
      csv_(spec),
      fields_(spec.key_fields.size()),
      scratch_(spec.key_fields.size()) {
  for (size_t i = 0; i < spec.key_fields.size(); ++i) wanted_.push_back({spec.key_fields[i], i});
  std::sort(wanted_.begin(), wanted_.end(),
            [](const Wanted& a, const Wanted& b) { return a.field < b.field; });
}

absl::Status KeyFields::Read(const CopyRow& row) {
  switch (spec_.format) {
    case CopyFormat::kText:
      return ReadText(row);
    case CopyFormat::kCsv:
      return ReadCsv(row);
    case CopyFormat::kBinary:
      ReadBinary(row);
  }
  return absl::OkStatus();
}

absl::Status KeyFields::ReadText(const CopyRow& row) {
  text_.Begin(row);
  size_t field = 0;
  for (const Wanted& wanted : wanted_) {
    std::string_view raw;
    for (; field <= wanted.field; ++field) {
      if (!text_.Next(&raw)) return MissingField(row, wanted.field);
    }
    // The NULL string is compared before escapes are decoded.
    CopyField& value = fields_[wanted.key_column];
    value.reset();
    if (raw != spec_.null_text) value = DecodeTextField(raw, &scratch_[wanted.key_column]);
  }
  return absl::OkStatus();
}

absl::Status KeyFields::ReadCsv(const CopyRow& row) {
  csv_.Begin(row);
  size_t next = 0;
  for (const Wanted& wanted : wanted_) {
    CsvFields::Field field;
    for (; next <= wanted.field; ++next) {
      const CsvFields::Result result = csv_.Next(&scratch_[wanted.key_column], &field);
      if (result == CsvFields::Result::kNoMore) return MissingField(row, wanted.field);
      if (result == CsvFields::Result::kUnterminated) {
        return BadCopyFormat("unterminated CSV quoted field", row.line);
      }
    }
    fields_[wanted.key_column] = CsvValue(wanted.key_column, field);
  }
  return absl::OkStatus();
}

// The NULL string counts where it has no quotes; FORCE_NOT_NULL and FORCE_NULL change that
// (NextCopyFrom).
CopyField KeyFields::CsvValue(size_t key_column, const CsvFields::Field& field) const {
  if (field.value != spec_.null_text) return field.value;
  if (!field.quoted) {
    if (Option(spec_.force_not_null, key_column)) return field.value;
    return std::nullopt;
  }
  if (Option(spec_.force_null, key_column)) return std::nullopt;
  return field.value;
}

// The cutter has checked the lengths, and that there are field_count fields.
void KeyFields::ReadBinary(const CopyRow& row) {
  std::string_view rest = row.content;
  size_t next = 0;
  for (const Wanted& wanted : wanted_) {
    CopyField& value = fields_[wanted.key_column];
    value.reset();
    for (; next <= wanted.field && !rest.empty(); ++next) {
      const int32_t length = ReadInt32(rest);
      rest.remove_prefix(4);
      if (length == BinaryCutter::kNullLength) {
        value.reset();
      } else {
        value = rest.substr(0, length);
        rest.remove_prefix(length);
      }
    }
  }
}

}  // namespace meridian
