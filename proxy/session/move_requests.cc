#include "proxy/session/move_requests.h"

#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"

namespace meridian {
namespace {

constexpr uint16_t kBinary = 1;

void AppendExecute(std::string& request) {
  wire::MessageBuilder(request, wire::kExecute).U8(0).U32(0);
}

}  // namespace

std::string TakeRequest(const KeyMove& move) {
  std::string request;
  wire::AppendParse(request, {}, move.take_sql, {});
  {
    wire::MessageBuilder bind(request, wire::kBind);
    bind.U8(0).U8(0).U16(0).U16(static_cast<uint16_t>(move.key.size()));
    for (const std::string& value : move.key) {
      bind.U32(static_cast<uint32_t>(value.size())).Bytes(value);
    }
    bind.U16(1).U16(kBinary);
  }
  AppendExecute(request);
  wire::AppendSync(request);
  return request;
}

void AppendPuts(std::string_view data_rows, std::string& puts) {
  while (data_rows.size() >= wire::kHeaderBytes) {
    ByteReader length(data_rows.substr(1));
    const size_t message = 1 + size_t{length.U32()};
    // A DataRow's body is what a Bind says of its parameters: their number, and each with its size.
    wire::MessageBuilder(puts, wire::kBind)
        .U8(0)
        .U8(0)
        .U16(1)
        .U16(kBinary)
        .Bytes(data_rows.substr(wire::kHeaderBytes, message - wire::kHeaderBytes))
        .U16(0);
    AppendExecute(puts);
    data_rows.remove_prefix(message);
  }
}

std::string PutRequest(const KeyMove& move, std::string_view puts) {
  std::string request;
  if (!puts.empty()) wire::AppendParse(request, {}, move.put_sql, {});
  request.append(puts);
  wire::AppendSync(request);
  return request;
}

}  // namespace meridian
