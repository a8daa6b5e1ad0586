#include "proxy/wire/error_response.h"

#include "sharding/byte_reader.h"

namespace meridian::wire {

ErrorFields ParseErrorFields(std::string_view body) {
  ErrorFields fields;
  ByteReader reader(body);
  for (;;) {
    const char code = static_cast<char>(reader.U8());
    if (!reader.ok() || code == '\0') break;
    const std::string_view value = reader.String();
    if (!reader.ok()) break;
    switch (code) {
      case 'S':
        if (fields.severity.empty()) fields.severity = value;
        break;
      case 'V':
        fields.severity = value;
        break;
      case 'C':
        fields.sqlstate = value;
        break;
      case 'M':
        fields.message = value;
        break;
      case 'D':
        fields.detail = value;
        break;
      case 'H':
        fields.hint = value;
        break;
      default:
        break;
    }
  }
  return fields;
}

SqlError ToSqlError(const ErrorFields& fields) {
  return {.sqlstate =
              std::string(fields.sqlstate.size() == 5 ? fields.sqlstate : sqlstate::kInternalError),
          .message = std::string(fields.message),
          .detail = std::string(fields.detail),
          .hint = std::string(fields.hint),
          .position = 0};
}

}  // namespace meridian::wire
