#include "router/copy/row_locator.h"

#include <fmt/format.h>

#include <utility>

#include "router/copy/copy_error.h"
#include "sharding/key_modifier.h"
#include "sharding/sql_status.h"

namespace meridian {

absl::StatusOr<ShardIndex> RowLocator::Locate(absl::Span<const CopyField> fields,
                                              ClientEncoding encoding, uint64_t line) {
  if (distribution_.ranges().empty()) {
    return SqlStatus(sqlstate::kObjectNotInPrerequisiteState,
                     fmt::format("distribution \"{}\" has no key ranges", distribution_.name()),
                     "CREATE KEY RANGE ... FROM MINVALUE first.");
  }
  key_.clear();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!fields[i].has_value()) return NullCopyKey(line);
    const KeyType type = distribution_.columns()[i].type;
    const bool is_text = !binary_ || type == KeyType::kText;
    const auto field = is_text ? ToUtf8(encoding, *fields[i], &converted_) : fields[i];
    if (!field.has_value()) return ForeignCopyKey(line);
    absl::StatusOr<KeyValue> value =
        binary_ ? ParseKeyBinary(type, *field) : ParseKeyText(type, *field);
    if (!value.ok()) return CopyKeyError(value.status(), line);
    if (i < modifiers_.size() && !KeptByModifier(type, modifiers_[i], *value)) {
      return Refused(fmt::format("only the server can tell how the key is rounded or cut for its "
                                 "column (COPY data, line {})",
                                 line),
                     "Write the key as the column stores it.");
    }
    key_.push_back(distribution_.ToSpace(i, *std::move(value)));
  }
  return distribution_.Locate(key_).owner;
}

}  // namespace meridian
