#include "router/statement.h"

#include <array>

#include "router/copy/copy_spec.h"
#include "router/plan/program.h"

namespace meridian {

Statement::Statement() = default;
Statement::~Statement() = default;

std::string_view PinReasonName(PinReason reason) {
  static constexpr std::array<std::string_view, kPinReasonCount> kNames = {
      "none", "temporary table", "listen", "hold cursor", "advisory lock", "opaque setting"};
  return kNames[static_cast<size_t>(reason)];
}

}  // namespace meridian
