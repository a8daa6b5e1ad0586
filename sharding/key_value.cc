#include "sharding/key_value.h"

namespace meridian {
namespace {

int Order(int64_t a, int64_t b) { return a < b ? -1 : a > b; }
int Order(const std::string& a, const std::string& b) { return a.compare(b); }
int Order(const Decimal& a, const Decimal& b) { return Compare(a, b); }

}  // namespace

int Compare(const KeyValue& a, const KeyValue& b) {
  return std::visit(
      [&b](const auto& left) { return Order(left, std::get<std::decay_t<decltype(left)>>(b)); }, a);
}

}  // namespace meridian
