#include "proxy/wire/messages.h"

namespace meridian::wire {

LengthCheck CheckClientMessage(char type, uint32_t length) {
  uint32_t limit = 0;
  switch (type) {
    case kQuery:
    case kParse:
    case kBind:
    case kFunctionCall:
    case kCopyData:
      limit = kLargeMessageLimit;
      break;
    case kDescribe:
    case kExecute:
    case kClose:
    case kFlush:
    case kSync:
    case kCopyDone:
    case kCopyFail:
    case kTerminate:
      limit = kSmallMessageLimit;
      break;
    case kPasswordMessage:
      limit = 65535;  // PG_MAX_AUTH_TOKEN_LENGTH
      break;
    default:
      return LengthCheck::kUnknownType;
  }
  return length >= 4 && length <= limit ? LengthCheck::kOk : LengthCheck::kBadLength;
}

}  // namespace meridian::wire
