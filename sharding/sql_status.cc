#include "sharding/sql_status.h"

#include <absl/strings/cord.h>

#include <charconv>

namespace meridian {
namespace {

constexpr char kSqlstateUrl[] = "meridian/sqlstate";
constexpr char kDetailUrl[] = "meridian/detail";
constexpr char kHintUrl[] = "meridian/hint";
constexpr char kPositionUrl[] = "meridian/position";

void Set(absl::Status& status, const char* url, const std::string& value) {
  if (!value.empty()) status.SetPayload(url, absl::Cord(value));
}

std::string Get(const absl::Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  return payload ? std::string(*payload) : std::string();
}

}  // namespace

absl::Status ToStatus(const SqlError& error) {
  absl::Status status(absl::StatusCode::kUnknown, error.message);
  Set(status, kSqlstateUrl, error.sqlstate);
  Set(status, kDetailUrl, error.detail);
  Set(status, kHintUrl, error.hint);
  if (error.position > 0) Set(status, kPositionUrl, std::to_string(error.position));
  return status;
}

absl::Status SqlStatus(std::string_view sqlstate, std::string message, std::string hint,
                       std::string detail) {
  return ToStatus({.sqlstate = std::string(sqlstate),
                   .message = std::move(message),
                   .detail = std::move(detail),
                   .hint = std::move(hint),
                   .position = 0});
}

absl::Status Refused(std::string message, std::string hint) {
  return SqlStatus(sqlstate::kFeatureNotSupported, std::move(message), std::move(hint));
}

SqlError ToSqlError(const absl::Status& status) {
  SqlError error{.sqlstate = Get(status, kSqlstateUrl),
                 .message = std::string(status.message().data(), status.message().size()),
                 .detail = Get(status, kDetailUrl),
                 .hint = Get(status, kHintUrl),
                 .position = 0};
  if (error.sqlstate.empty()) error.sqlstate = sqlstate::kInternalError;
  const std::string position = Get(status, kPositionUrl);
  std::from_chars(position.data(), position.data() + position.size(), error.position);
  return error;
}

}  // namespace meridian
