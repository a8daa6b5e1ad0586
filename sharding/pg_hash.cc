#include "sharding/pg_hash.h"

#include <bit>
#include <cstring>

namespace meridian {
namespace {

// The three words of lookup3.
struct State {
  uint32_t a, b, c;

  void Mix() {
    Step(a, c, b, 4);
    Step(b, a, c, 6);
    Step(c, b, a, 8);
    Step(a, c, b, 16);
    Step(b, a, c, 19);
    Step(c, b, a, 4);
  }

  uint64_t Finish() {
    Fold(c, b, 14);
    Fold(a, c, 11);
    Fold(b, a, 25);
    Fold(c, b, 16);
    Fold(a, c, 4);
    Fold(b, a, 14);
    Fold(c, b, 24);
    return uint64_t{b} << 32 | c;
  }

 private:
  static void Step(uint32_t& x, uint32_t& y, uint32_t z, int bits) {
    x -= y;
    x ^= std::rotl(y, bits);
    y += z;
  }
  static void Fold(uint32_t& x, uint32_t y, int bits) {
    x ^= y;
    x -= std::rotl(y, bits);
  }
};

State Seeded(uint32_t length, uint64_t seed) {
  const uint32_t start = 0x9e3779b9u + length + 3923095u;
  State state{start, start, start};
  if (seed != 0) {
    state.a += static_cast<uint32_t>(seed >> 32);
    state.b += static_cast<uint32_t>(seed);
    state.Mix();
  }
  return state;
}

uint32_t LittleEndian(const unsigned char* bytes) {
  return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 |
         uint32_t{bytes[3]} << 24;
}

constexpr size_t kBlockBytes = 12;

void AddBlock(State& state, const unsigned char* block) {
  state.a += LittleEndian(block);
  state.b += LittleEndian(block + 4);
  state.c += LittleEndian(block + 8);
}

}  // namespace

uint64_t HashBytesExtended(std::string_view bytes, uint64_t seed) {
  State state = Seeded(static_cast<uint32_t>(bytes.size()), seed);
  while (bytes.size() >= kBlockBytes) {
    AddBlock(state, reinterpret_cast<const unsigned char*>(bytes.data()));
    state.Mix();
    bytes.remove_prefix(kBlockBytes);
  }
  // In the last block the lowest byte of c is reserved for the length, which Seeded has added.
  unsigned char last[kBlockBytes] = {};
  for (size_t i = 0; i < bytes.size(); ++i) {
    last[i < 8 ? i : i + 1] = static_cast<unsigned char>(bytes[i]);
  }
  AddBlock(state, last);
  return state.Finish();
}

uint64_t HashUint32Extended(uint32_t value, uint64_t seed) {
  State state = Seeded(sizeof(value), seed);
  state.a += value;
  return state.Finish();
}

uint64_t HashInt64Extended(int64_t value, uint64_t seed) {
  const auto low = static_cast<uint32_t>(value);
  const auto high = static_cast<uint32_t>(static_cast<uint64_t>(value) >> 32);
  // The high half folds away for every value that fits in 32 bits, of either sign.
  return HashUint32Extended(low ^ (value >= 0 ? high : ~high), seed);
}

}  // namespace meridian
