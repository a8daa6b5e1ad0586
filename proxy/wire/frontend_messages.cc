#include "proxy/wire/frontend_messages.h"

#include "sharding/byte_reader.h"
#include "sharding/sql_status.h"

namespace meridian::wire {
namespace {

absl::Status BadMessage(const char* what) { return SqlStatus(sqlstate::kProtocolViolation, what); }

}  // namespace

absl::StatusOr<ParseView> ParseParse(std::string_view body) {
  ByteReader reader(body);
  ParseView view;
  view.name = reader.String();
  view.text = reader.String();
  const size_t count = reader.U16();
  view.parameter_types = reader.Bytes(count * 4);
  if (!reader.AtEnd()) return BadMessage("invalid message format");
  return view;
}

absl::Status ParseBind(std::string_view body, BindView* bind) {
  ByteReader reader(body);
  bind->portal = reader.String();
  bind->statement = reader.String();
  bind->after_names = reader.rest();
  bind->formats.clear();
  bind->values.clear();
  for (size_t left = reader.U16(); left > 0 && reader.ok(); --left) {
    bind->formats.push_back(reader.U16());
  }
  const size_t count = reader.U16();
  if (reader.ok() && bind->formats.size() > 1 && bind->formats.size() != count) {
    return BadMessage("bind message has a parameter format count that does not match");
  }
  for (size_t left = count; left > 0 && reader.ok(); --left) {
    const int32_t size = reader.I32();
    if (size < 0) {
      bind->values.emplace_back(std::nullopt);
    } else {
      bind->values.emplace_back(reader.Bytes(static_cast<size_t>(size)));
    }
  }
  bind->result_formats = reader.rest();
  const size_t result_formats = reader.U16();
  reader.Bytes(result_formats * 2);
  return reader.AtEnd() ? absl::OkStatus() : BadMessage("invalid message format");
}

absl::StatusOr<DescribeView> ParseDescribe(std::string_view body) {
  ByteReader reader(body);
  DescribeView view;
  view.kind = static_cast<char>(reader.U8());
  view.name = reader.String();
  if (!reader.AtEnd()) return BadMessage("invalid message format");
  if (view.kind != 'S' && view.kind != 'P') return BadMessage("invalid message subtype");
  return view;
}

absl::StatusOr<ExecuteView> ParseExecute(std::string_view body) {
  ByteReader reader(body);
  ExecuteView view;
  view.portal = reader.String();
  view.max_rows = reader.U32();
  if (!reader.AtEnd()) return BadMessage("invalid message format");
  return view;
}

}  // namespace meridian::wire
