// Runs a fuzz target (LLVMFuzzerTestOneInput) for a bounded time without libFuzzer, so that the
// ordinary compiler and sanitizers of the test run suffice: inputs are the target's own seeds,
// mutated by a seeded generator. The seed is printed; `--seed N` repeats a run.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using Rng = std::mt19937_64;

size_t Pick(Rng& rng, size_t below) { return below == 0 ? 0 : rng() % below; }

std::string Mutate(std::string input, const std::vector<std::string>& seeds, Rng& rng) {
  for (size_t edits = 1 + Pick(rng, 6); edits > 0; --edits) {
    const size_t at = Pick(rng, input.size() + 1);
    switch (Pick(rng, 6)) {
      case 0:  // flip a byte
        if (at < input.size()) input[at] = static_cast<char>(rng());
        break;
      case 1:  // insert a byte that lexers and framers care about
        input.insert(at, 1, "\0\x01\xff'\"\\;$\n-/*(),E0"[Pick(rng, 18)]);
        break;
      case 2:  // cut
        input.erase(at, Pick(rng, 16));
        break;
      case 3:  // truncate
        input.resize(at);
        break;
      case 4: {  // splice in a part of another seed
        const std::string& other = seeds[Pick(rng, seeds.size())];
        const size_t from = Pick(rng, other.size() + 1);
        input.insert(at, other, from, Pick(rng, 32));
        break;
      }
      default: {  // repeat a part of itself
        const std::string part = input.substr(at, Pick(rng, 32));
        input.insert(at, part);
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 5;
  uint64_t seed = std::random_device{}();
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = std::atof(argv[i + 1]);
    if (std::strcmp(argv[i], "--seed") == 0) seed = std::strtoull(argv[i + 1], nullptr, 10);
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  Rng rng(seed);
  std::vector<std::string> seeds = FuzzSeeds();
  seeds.emplace_back();
  const auto run = [](const std::string& input) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  };
  for (const std::string& input : seeds) run(input);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  uint64_t runs = 0;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 256; ++i, ++runs) run(Mutate(seeds[Pick(rng, seeds.size())], seeds, rng));
  }
  std::printf("%llu inputs\n", static_cast<unsigned long long>(runs));
}
