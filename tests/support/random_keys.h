// Texts of keys for tests: edge values and seeded random ones of each type.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "sharding/key_value.h"

namespace meridian {
inline namespace test_support {

inline constexpr KeyType kAllKeyTypes[] = {
    KeyType::kSmallint, KeyType::kInteger, KeyType::kBigint,    KeyType::kText,
    KeyType::kUuid,     KeyType::kDate,    KeyType::kTimestamp, KeyType::kTimestamptz,
    KeyType::kBytea,    KeyType::kNumeric,
};

using Random = std::mt19937_64;

// Valid input that ParseKeyText must read: limits, zero, empty, every length modulo 12, non-ASCII,
// infinities, years BC.
std::vector<std::string> EdgeKeyTexts(KeyType type);
// One value of the type, in a form that PostgreSQL may print. Small values are frequent, so that
// equal ones meet.
std::string RandomKeyText(KeyType type, Random& random);
// `text` with one to three characters changed, inserted or removed: mostly invalid input.
std::string Mutated(std::string text, Random& random);

}  // namespace test_support
}  // namespace meridian
