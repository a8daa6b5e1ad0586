// Both machines and the verifier's parser under any bytes. The input's first byte says who reads
// the rest, which a zero byte cuts into the two messages of an exchange.
#include <cstdlib>
#include <string_view>

#include "proxy/auth/scram_client.h"
#include "proxy/auth/scram_server.h"
#include "tests/fuzz/fuzz.h"

namespace {

using meridian::ScramClient;
using meridian::ScramKeys;
using meridian::ScramServer;
using meridian::ScramVerifier;

const ScramKeys& Keys() {
  static const ScramKeys keys = meridian::DeriveKeys("pencil", "saltsaltsaltsalt", 1).value();
  return keys;
}

void FuzzServer(std::string_view first, std::string_view second) {
  ScramServer server("ann",
                     ScramVerifier{.salt = Keys().salt,
                                   .iterations = Keys().iterations,
                                   .stored_key = Keys().stored_key,
                                   .server_key = Keys().server_key},
                     "servernonce");
  (void)server.Start(first);
  const auto success = server.Finish(second);
  // The seeds hold no right proof, and none can be guessed.
  if (success.ok()) std::abort();
}

void FuzzClient(std::string_view first, std::string_view second) {
  ScramClient client("ann", "here", "clientnonce");
  if (client.ReadServerFirst(first).ok()) {
    if (client.challenge().iterations > meridian::kScramIterationsMax) std::abort();
    (void)client.ClientFinal(Keys());
  }
  (void)client.CheckServerFinal(second);
  if (client.done()) std::abort();
}

void FuzzVerifier(std::string_view text) {
  const auto verifier = meridian::ParseScramVerifier(text);
  if (!verifier.ok()) return;
  const auto again = meridian::ParseScramVerifier(meridian::FormatScramVerifier(*verifier));
  if (!again.ok() || !(*again == *verifier)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t cut = input.find('\0');
  const std::string_view first = input.substr(0, cut);
  const std::string_view second =
      cut == std::string_view::npos ? std::string_view() : input.substr(cut + 1);
  if (data[0] == 's') FuzzServer(first, second);
  if (data[0] == 'c') FuzzClient(first, second);
  if (data[0] == 'v') FuzzVerifier(input);
  return 0;
}

std::vector<std::string> FuzzSeeds() {
  using std::string_literals::operator""s;
  const std::string key = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  return {
      "sn,,n=,r=clientnonce\0c=biws,r=clientnonceservernonce,p="s + key,
      "sy,,n=ann,r=clientnonce,x=y\0c=eSws,r=clientnonceservernonce,x=y,p="s + key,
      "sp=tls-server-end-point,,n=,r=clientnonce\0c=cD10bHM=,r=x,p="s + key,
      "cr=clientnonceservernonce,s=c2FsdHNhbHRzYWx0c2FsdA==,i=1\0v="s + key,
      "cr=clientnonceservernonce,s=c2FsdA==,i=4096,x=y\0e=invalid-proof"s,
      "vSCRAM-SHA-256$4096:c2FsdA==$" + key + ":" + key,
  };
}
