// What all steps of planning one statement share.
#pragma once

#include <absl/types/span.h>

#include <optional>
#include <string_view>
#include <vector>

#include "router/parse/node.h"
#include "router/plan/operand.h"
#include "router/router.h"

namespace meridian {

struct Planning {
  std::string_view text;  // the whole text: node locations count from its start
  const SqlContext& context;
  absl::Span<const Oid> parameter_types;
  // Of this part.
  absl::Span<const Literal> literals;
  const ShardMap& map;
  const Schema& schema;
  // How often each parameter stands in the part; [0] is $1.
  std::vector<uint32_t> parameter_uses;
  // Set where a decision was taken from a literal's value: then the plan serves this text only.
  bool depends_on_literals = false;
  // Set where the statement holds places in the text.
  bool depends_on_text = false;
};

// The literal, parameter or NULL that `node` is, through casts that do not change its meaning;
// nullopt where it is anything else.
std::optional<Operand> MakeOperand(const Node& node, const Planning& planning);

// The type that a cast to this type name means; nullopt: none that a key can have, or one that may
// change the value (varchar(5)).
std::optional<KeyType> KeyTypeOfName(const Node& type_name, const Planning& planning);

// The OID of that type; 0: none that a key can have.
Oid OidOfTypeName(const Node& type_name, const Planning& planning);

}  // namespace meridian
