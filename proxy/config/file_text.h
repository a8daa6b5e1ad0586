// Reading a small file whole.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace meridian {

inline constexpr size_t kFileTextBytesMax = 4 << 20;

struct FileText {
  std::string text;
  bool is_private = false;  // neither its group nor others can access it (mode 0600 or less)
};

// NotFound, or PermissionDenied for every other reason, with the reason: also for a directory and
// for more than kFileTextBytesMax.
[[nodiscard]] absl::StatusOr<FileText> ReadFileText(const std::string& path);

}  // namespace meridian
