#include "proxy/admin/result_writer.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "proxy/wire/message_writer.h"
#include "sharding/byte_reader.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

uint16_t TypeSize(uint32_t type) {
  switch (type) {
    case type_oid::kBool:
      return 1;
    case type_oid::kInt4:
    case type_oid::kVoid:
      return 4;
    case type_oid::kInt8:
    case type_oid::kFloat8:
      return 8;
    default:
      return 0xffff;
  }
}

template <typename Number>
Number ReadNumber(std::string_view text) {
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void AppendU64(std::string& out, uint64_t value) {
  wire::AppendU32(out, static_cast<uint32_t>(value >> 32));
  wire::AppendU32(out, static_cast<uint32_t>(value));
}

// numeric_send (PostgreSQL: src/backend/utils/adt/numeric.c) of an integer: number of digits,
// weight of the first, sign, scale, then the digits to the base 10000 without zeros at their end.
std::string NumericBinary(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  std::vector<uint16_t> digits;
  while (!text.empty()) {
    const size_t size = (text.size() - 1) % 4 + 1;
    digits.push_back(ReadNumber<uint16_t>(text.substr(0, size)));
    text.remove_prefix(size);
  }
  const auto first =
      std::find_if(digits.begin(), digits.end(), [](uint16_t digit) { return digit != 0; });
  digits.erase(digits.begin(), first);
  const size_t weight = digits.empty() ? 0 : digits.size() - 1;
  while (!digits.empty() && digits.back() == 0) digits.pop_back();
  constexpr uint16_t kNegative = 0x4000;
  std::string bytes;
  wire::AppendU16(bytes, static_cast<uint16_t>(digits.size()));
  wire::AppendU16(bytes, static_cast<uint16_t>(weight));
  wire::AppendU16(bytes, negative && !digits.empty() ? kNegative : 0);
  wire::AppendU16(bytes, 0);
  for (const uint16_t digit : digits) wire::AppendU16(bytes, digit);
  return bytes;
}

}  // namespace

absl::StatusOr<ResultFormats> ResultFormats::Read(std::string_view codes, size_t columns) {
  ByteReader reader(codes);
  ResultFormats formats;
  const size_t count = reader.U16();
  if (count > 1 && count != columns) {
    return SqlStatus(sqlstate::kProtocolViolation, "bind message has " + std::to_string(count) +
                                                       " result formats but query has " +
                                                       std::to_string(columns) + " columns");
  }
  for (size_t i = 0; i < count; ++i) {
    const uint16_t code = reader.U16();
    if (code > 1) {
      return SqlStatus(sqlstate::kInvalidParameterValue,
                       "unsupported format code: " + std::to_string(code),
                       "Use 0 for text or 1 for binary.");
    }
    formats.binary_.push_back(code == 1);
  }
  return formats;
}

void AppendDescription(std::string& out, absl::Span<const AdminColumn> columns,
                       const ResultFormats& formats) {
  if (columns.empty()) return wire::AppendEmptyMessage(out, wire::kNoData);
  wire::MessageBuilder message(out, wire::kRowDescription);
  message.U16(static_cast<uint16_t>(columns.size()));
  for (size_t i = 0; i < columns.size(); ++i) {
    // table OID, column number, type OID, type size, type modifier, format
    message.String(columns[i].name).U32(0).U16(0).U32(columns[i].type);
    message.U16(TypeSize(columns[i].type)).U32(0xffffffff).U16(formats.IsBinary(i) ? 1 : 0);
  }
}

void AppendDataRow(std::string& out, absl::Span<const AdminColumn> columns, const AdminRow& row,
                   const ResultFormats& formats) {
  wire::MessageBuilder message(out, wire::kDataRow);
  message.U16(static_cast<uint16_t>(columns.size()));
  for (size_t i = 0; i < columns.size(); ++i) {
    if (!row[i]) {
      message.U32(0xffffffff);
      continue;
    }
    const std::string value = formats.IsBinary(i) ? BinaryValue(columns[i].type, *row[i]) : *row[i];
    message.U32(static_cast<uint32_t>(value.size())).Bytes(value);
  }
}

std::string BinaryValue(uint32_t type, std::string_view text) {
  std::string bytes;
  switch (type) {
    case type_oid::kBool:
      bytes.push_back(text == "t" ? '\1' : '\0');
      return bytes;
    case type_oid::kInt4:
      wire::AppendU32(bytes, static_cast<uint32_t>(ReadNumber<int32_t>(text)));
      return bytes;
    case type_oid::kInt8:
      AppendU64(bytes, static_cast<uint64_t>(ReadNumber<int64_t>(text)));
      return bytes;
    case type_oid::kFloat8:
      AppendU64(bytes, std::bit_cast<uint64_t>(ReadNumber<double>(text)));
      return bytes;
    case type_oid::kNumeric:
      return NumericBinary(text);
    default:
      return std::string(text);
  }
}

}  // namespace meridian
