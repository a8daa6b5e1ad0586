#include "router/decision.h"

namespace meridian {

std::string_view RouteName(Route route) {
  switch (route) {
    case Route::kSession:
      return "session";
    case Route::kAny:
      return "any";
    case Route::kOne:
      return "one";
    case Route::kConcat:
      return "concat";
    case Route::kEvery:
      return "every";
    case Route::kSum:
      return "sum";
    case Route::kSplit:
      return "split";
    case Route::kCopySplit:
      return "copy split";
    case Route::kMove:
      return "move";
  }
  return "";
}

}  // namespace meridian
