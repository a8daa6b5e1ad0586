// Errors that a client may see: an absl::Status that carries PostgreSQL's error fields.
//
// Everything between a client's bytes and a client's error goes through these functions, so that
// each error has a SQLSTATE, says what to do (hint), and never loses its fields on the way.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>

namespace meridian {

// The fields of an ErrorResponse (PostgreSQL documentation, "Error and Notice Message Fields").
// An empty string or a position of 0 means that the field is absent.
struct SqlError {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
  int position = 0;  // in characters, from 1, in the statement's text

  friend bool operator==(const SqlError&, const SqlError&) = default;
};

// SQLSTATEs used by more than one file (PostgreSQL: src/backend/utils/errcodes.txt).
namespace sqlstate {
inline constexpr std::string_view kConnectionFailure = "08006";
inline constexpr std::string_view kTransactionResolutionUnknown = "08007";
inline constexpr std::string_view kProtocolViolation = "08P01";
inline constexpr std::string_view kFeatureNotSupported = "0A000";
inline constexpr std::string_view kInvalidParameterValue = "22023";
inline constexpr std::string_view kNotNullViolation = "23502";
inline constexpr std::string_view kActiveTransaction = "25001";
inline constexpr std::string_view kSerializationFailure = "40001";
inline constexpr std::string_view kNoActiveTransaction = "25P01";
inline constexpr std::string_view kInFailedTransaction = "25P02";
inline constexpr std::string_view kInvalidStatementName = "26000";
inline constexpr std::string_view kInvalidAuthorization = "28000";
inline constexpr std::string_view kInvalidPassword = "28P01";
inline constexpr std::string_view kInvalidCursorName = "34000";
inline constexpr std::string_view kInvalidCatalogName = "3D000";
inline constexpr std::string_view kDeadlockDetected = "40P01";
inline constexpr std::string_view kSyntaxError = "42601";
inline constexpr std::string_view kInsufficientPrivilege = "42501";
inline constexpr std::string_view kUndefinedObject = "42704";
inline constexpr std::string_view kUndefinedFunction = "42883";
inline constexpr std::string_view kDuplicateObject = "42710";
inline constexpr std::string_view kUndefinedTable = "42P01";
inline constexpr std::string_view kUndefinedColumn = "42703";
inline constexpr std::string_view kDuplicatePreparedStatement = "42P05";
inline constexpr std::string_view kTooManyConnections = "53300";
inline constexpr std::string_view kProgramLimitExceeded = "54000";
inline constexpr std::string_view kObjectNotInPrerequisiteState = "55000";
// A shard refuses a write to a key range that it has given up (rebalance/fence.h).
inline constexpr std::string_view kRangeHasMoved = "M0002";
inline constexpr std::string_view kObjectInUse = "55006";
inline constexpr std::string_view kQueryCanceled = "57014";
inline constexpr std::string_view kAdminShutdown = "57P01";
inline constexpr std::string_view kCannotConnectNow = "57P03";
inline constexpr std::string_view kInternalError = "XX000";
}  // namespace sqlstate

// An error status with these fields. `error.sqlstate` must be five characters.
[[nodiscard]] absl::Status ToStatus(const SqlError& error);

// Shorthands.
[[nodiscard]] absl::Status SqlStatus(std::string_view sqlstate, std::string message,
                                     std::string hint = {}, std::string detail = {});
// 0A000: what Meridian refuses to do, and what the user can do instead.
[[nodiscard]] absl::Status Refused(std::string message, std::string hint);

// The fields back from any error status; one that was not made here becomes XX000 with the
// status's message. Precondition: !status.ok().
[[nodiscard]] SqlError ToSqlError(const absl::Status& status);

}  // namespace meridian
