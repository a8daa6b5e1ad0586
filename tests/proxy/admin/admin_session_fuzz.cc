// A hostile administrator: any bytes to an admin session. The input's first byte says how large the
// reads are, the second whether commands are answered at once.
#include <cstdlib>

#include "tests/fuzz/fuzz.h"
#include "tests/proxy/admin/fake_admin_host.h"
#include "tests/proxy/session/message_text.h"

namespace {

using namespace meridian;

std::string Play(std::string_view input, size_t read, bool at_once) {
  FakeAdminHost host(at_once);
  AdminSession session(host, 1, "ann");
  std::string seen;
  while (!input.empty()) {
    const std::vector<char> event(input.begin(), input.begin() + std::min(read, input.size()));
    session.OnClientBytes({event.data(), event.size()});
    host.ReplyToAll(session);
    session.out.MoveRest(0, seen);
    input.remove_prefix(event.size());
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 2), size - 2);
  const std::string seen = Play(input, data[0] == 0 ? size : data[0], data[1] & 1);
  // Neither the cuts nor the time that commands take change what is said.
  if (seen != Play(input, size, true)) std::abort();
  std::string_view rest = seen;
  while (const size_t message = WholeMessage(rest)) rest.remove_prefix(message);
  if (!rest.empty()) std::abort();
  return 0;
}

std::vector<std::string> FuzzSeeds() {
  const auto messages = [](std::initializer_list<const char*> lines) {
    std::string bytes("\1\0", 2);
    for (const char* line : lines) bytes += MessageFromText(line);
    return bytes;
  };
  return {
      messages({R"(Query "SHOW SHARDS; SHOW POOLS; BEGIN; nonsense")", R"(Query "COMMIT")"}),
      messages({R"(Query "SELECT version(); SET a TO b; SHOW a; RESET a; DISCARD ALL")"}),
      messages({R"(Parse "p" "SHOW POOLS")", R"(Describe S "p")", R"(Bind "c" "p")",
                R"(Describe P "c")", R"(Execute "c" 2)", R"(Execute "c" 0)", R"(Close P "c")",
                "Flush", "Sync", R"(Query "DEALLOCATE p")"}),
      messages({R"(Bind "" "none" 'x' NULL)", "Sync", R"(CopyData "x")", R"(F "")", "Terminate"}),
  };
}
