#include "proxy/config/file_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace meridian {
namespace {

absl::Status CannotRead(const std::string& path, std::string_view why) {
  return absl::PermissionDeniedError(fmt::format("cannot read \"{}\": {}", path, why));
}

absl::StatusOr<FileText> ReadAll(int fd, const std::string& path) {
  struct stat status;
  if (fstat(fd, &status) != 0) return CannotRead(path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return CannotRead(path, "it is a directory");
  FileText file{.text = {}, .is_private = (status.st_mode & (S_IRWXG | S_IRWXO)) == 0};
  char buffer[1 << 14];
  ssize_t count;
  while ((count = read(fd, buffer, sizeof buffer)) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return CannotRead(path, std::strerror(errno));
    file.text.append(buffer, static_cast<size_t>(count));
    if (file.text.size() > kFileTextBytesMax) {
      return CannotRead(path, fmt::format("it is longer than {} bytes", kFileTextBytesMax));
    }
  }
  return file;
}

}  // namespace

absl::StatusOr<FileText> ReadFileText(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno != ENOENT) return CannotRead(path, std::strerror(errno));
    return absl::NotFoundError(fmt::format("there is no file \"{}\"", path));
  }
  absl::StatusOr<FileText> file = ReadAll(fd, path);
  close(fd);
  return file;
}

}  // namespace meridian
