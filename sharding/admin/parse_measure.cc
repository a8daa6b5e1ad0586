// Numbers with units.
#include <fmt/format.h>

#include <charconv>

#include "sharding/admin/syntax.h"
#include "sharding/ascii.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

std::optional<uint64_t> Measure(std::string_view text, absl::Span<const MeasureUnit> units) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  std::string_view unit = StripSpace(text.substr(static_cast<size_t>(end - text.data())));
  if (unit.ends_with("/s")) unit.remove_suffix(2);  // a rate may say so
  for (const MeasureUnit& known : units) {
    if (unit != known.name && !(unit.empty() && &known == units.data())) continue;
    if (number > (uint64_t{1} << 50) / known.size) return std::nullopt;
    return number * known.size;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> TakeMeasure(Cursor& cursor, absl::Span<const MeasureUnit> units,
                                    std::string_view example) {
  const int position = cursor.PositionHere();
  const BoundLiteral literal = cursor.TakeLiteral();
  const auto value = Measure(StripSpace(literal.text), units);
  if (!value && cursor.status().ok()) {
    cursor.FailAt(position, SqlStatus(sqlstate::kInvalidParameterValue,
                                      fmt::format("\"{}\" is no such value", literal.text),
                                      fmt::format("Write it like {}.", example)));
  }
  return value;
}

}  // namespace meridian
