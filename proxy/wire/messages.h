// Message types of the frontend/backend protocol v3 (PostgreSQL documentation, "Message Formats").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace meridian::wire {

// Client to server.
inline constexpr char kQuery = 'Q';
inline constexpr char kParse = 'P';
inline constexpr char kBind = 'B';
inline constexpr char kDescribe = 'D';
inline constexpr char kExecute = 'E';
inline constexpr char kClose = 'C';
inline constexpr char kFlush = 'H';
inline constexpr char kSync = 'S';
inline constexpr char kFunctionCall = 'F';
inline constexpr char kCopyFail = 'f';
inline constexpr char kTerminate = 'X';
inline constexpr char kPasswordMessage = 'p';  // also SASLInitialResponse, SASLResponse

// Both ways.
inline constexpr char kCopyData = 'd';
inline constexpr char kCopyDone = 'c';

// Server to client.
inline constexpr char kAuthentication = 'R';
inline constexpr char kBackendKeyData = 'K';
inline constexpr char kParameterStatus = 'S';
inline constexpr char kReadyForQuery = 'Z';
inline constexpr char kErrorResponse = 'E';
inline constexpr char kNoticeResponse = 'N';
inline constexpr char kNotification = 'A';
inline constexpr char kRowDescription = 'T';
inline constexpr char kDataRow = 'D';
inline constexpr char kCommandComplete = 'C';
inline constexpr char kEmptyQueryResponse = 'I';
inline constexpr char kParseComplete = '1';
inline constexpr char kBindComplete = '2';
inline constexpr char kCloseComplete = '3';
inline constexpr char kParameterDescription = 't';
inline constexpr char kNoData = 'n';
inline constexpr char kPortalSuspended = 's';
inline constexpr char kCopyInResponse = 'G';
inline constexpr char kCopyOutResponse = 'H';
inline constexpr char kCopyBothResponse = 'W';
inline constexpr char kFunctionCallResponse = 'V';
inline constexpr char kNegotiateProtocolVersion = 'v';

// Codes of AuthenticationXxx.
inline constexpr uint32_t kAuthOk = 0;
inline constexpr uint32_t kAuthCleartextPassword = 3;
inline constexpr uint32_t kAuthMd5Password = 5;
inline constexpr uint32_t kAuthSasl = 10;
inline constexpr uint32_t kAuthSaslContinue = 11;
inline constexpr uint32_t kAuthSaslFinal = 12;

// A message is its type (1 byte), its length (4 bytes, itself included, the type not) and its body.
inline constexpr size_t kHeaderBytes = 5;
inline constexpr std::string_view kSyncMessage("S\0\0\0\4", kHeaderBytes);
// PG_LARGE_MESSAGE_LIMIT and PG_SMALL_MESSAGE_LIMIT (PostgreSQL: src/include/libpq/libpq.h).
inline constexpr uint32_t kLargeMessageLimit = 0x3fffffff - 1;
inline constexpr uint32_t kSmallMessageLimit = 10000;

// The transaction status of ReadyForQuery.
inline constexpr char kIdle = 'I';
inline constexpr char kInTransaction = 'T';
inline constexpr char kFailedTransaction = 'E';

// The length announced for `type` in a client's message, checked as PostgreSQL's SocketBackend
// does.
enum class LengthCheck : uint8_t { kOk, kUnknownType, kBadLength };
constexpr LengthCheck CheckClientMessage(char type, uint32_t length) {
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
