// meridian: the command.

#include <absl/status/status.h>
#include <malloc.h>

#include <iostream>
#include <string>
#include <vector>

#include "metrics/log.h"
#include "proxy/config/command_line.h"
#include "proxy/config/config.h"
#include "proxy/net/proxy.h"

namespace {

int Complain(const absl::Status& status) {
  std::cerr << "meridian: " << std::string(status.message()) << "\n";
  return 1;
}

int RunProxy(const std::string& path, meridian::Config config) {
  // Large buffers go back to the system when they are freed. Without it glibc keeps, from the first
  // large one on, as much of its heap as that was.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  const std::string error = meridian::StartLogging(
      {.level = config.log.level, .format = config.log.format, .file = config.log.file});
  if (!error.empty()) return Complain(absl::InvalidArgumentError(error));
  absl::Status status;
  {
    meridian::Proxy proxy(path, std::move(config));
    status = proxy.Run();
  }
  if (!status.ok()) meridian::LogError("cannot start", {{"error", std::string(status.message())}});
  meridian::StopLogging();
  return status.ok() ? 0 : Complain(status);
}

}  // namespace

int main(int argc, char** argv) {
  using Action = meridian::CommandLine::Action;
  const auto command = meridian::ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  if (!command.ok()) {
    Complain(command.status());
    return 2;
  }
  switch (command->action) {
    case Action::kVersion:
      std::cout << "meridian " << MERIDIAN_VERSION << "\n";
      return 0;
    case Action::kHelp:
      std::cout << meridian::HelpText();
      return 0;
    case Action::kMakeVerifier: {
      const absl::Status status = meridian::MakeVerifier(std::cin, std::cout);
      return status.ok() ? 0 : Complain(status);
    }
    default:
      break;
  }
  auto config = meridian::LoadConfig(command->config_path);
  if (!config.ok()) return Complain(config.status());
  if (command->action == Action::kCheck) {
    std::cout << command->config_path << ": ok\n";
    return 0;
  }
  return RunProxy(command->config_path, std::move(*config));
}
