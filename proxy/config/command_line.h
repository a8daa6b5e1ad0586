// The command line of `meridian`.
#pragma once

#include <absl/status/statusor.h>

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace meridian {

struct CommandLine {
  enum class Action { kRun, kCheck, kVersion, kHelp, kMakeVerifier };
  Action action = Action::kRun;
  std::string config_path;  // of kRun and kCheck
};

// `arguments` without the program's name. InvalidArgument with a message for the user.
[[nodiscard]] absl::StatusOr<CommandLine> ParseCommandLine(
    const std::vector<std::string>& arguments);

// What --help prints.
std::string_view HelpText();

// --make-verifier: reads a password (one line, without its newline) and writes its SCRAM verifier
// and a newline.
[[nodiscard]] absl::Status MakeVerifier(std::istream& in, std::ostream& out);

}  // namespace meridian
