#include "router/plan/used_key.h"

#include <absl/types/span.h>

#include <utility>
#include <vector>

#include "router/plan/operand.h"

namespace meridian {
namespace {

std::optional<UsedKey> KeyOf(absl::Span<const Operand> operands, size_t index,
                             const RouteProgram& program, const ShardMap& map,
                             const Values& values) {
  const Distribution& distribution = map.distributions()[index];
  if (distribution.ranges().empty()) return std::nullopt;
  if (operands.size() != distribution.columns().size()) return std::nullopt;
  UsedKey key{.epoch = map.epoch(), .distribution = index, .range = 0, .point = {}};
  for (size_t i = 0; i < operands.size(); ++i) {
    OperandValue value = ReadOperand(operands[i], distribution.columns()[i].type, values,
                                     program.standard_conforming_strings);
    if (value.kind != OperandValue::Kind::kValue) return std::nullopt;
    key.point.push_back(distribution.ToSpace(i, std::move(value.value)));
  }
  key.range = static_cast<size_t>(&distribution.Locate(key.point) - distribution.ranges().data());
  return key;
}

}  // namespace

std::optional<UsedKey> FindUsedKey(const RouteProgram& program, const ShardMap& map,
                                   const Values& values) {
  if (program.insert.has_value()) {
    const InsertRows& insert = *program.insert;
    if (insert.keys.empty()) return std::nullopt;
    return KeyOf(insert.keys.front(), insert.distribution, program, map, values);
  }
  if (program.references.empty()) return std::nullopt;
  const ShardedReference& first = program.references.front();
  const std::vector<Operand> point =
      PointOf(first.keys, map.distributions()[first.distribution].columns().size());
  return KeyOf(point, first.distribution, program, map, values);
}

}  // namespace meridian
