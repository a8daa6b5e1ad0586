#include "tests/support/random_keys.h"

#include <fmt/format.h>

namespace meridian {
inline namespace test_support {
namespace {

int64_t Between(Random& random, int64_t min, int64_t max) {
  return std::uniform_int_distribution<int64_t>(min, max)(random);
}

// Any number of bits is equally frequent.
int64_t AnySize(Random& random, int bits) {
  const int64_t number = static_cast<int64_t>(random() >> (64 - Between(random, 1, bits)));
  return Between(random, 0, 1) == 0 ? number : -number;
}

std::string RandomText(Random& random) {
  static const std::vector<std::string> kCharacters = {
      "a", "b", "Z", "0", "_", " ", "'", "\\", "\"", "\n", "é", "ß", "€", "日", "😀", "\x7f"};
  std::string text;
  for (int64_t i = Between(random, 0, 40); i > 0; --i) {
    text += kCharacters[Between(random, 0, kCharacters.size() - 1)];
  }
  return text;
}

std::string RandomHex(Random& random, int64_t bytes) {
  std::string hex;
  for (; bytes > 0; --bytes) hex += fmt::format("{:02x}", random() & 0xFF);
  return hex;
}

std::string RandomUuid(Random& random) {
  std::string uuid = RandomHex(random, 16);
  for (const size_t at : {20, 16, 12, 8}) uuid.insert(at, "-");
  return uuid;
}

std::string RandomNumeric(Random& random) {
  std::string text = Between(random, 0, 2) == 0 ? "-" : "";
  for (int64_t i = Between(random, 1, 30); i > 0; --i) text += '0' + Between(random, 0, 9);
  if (Between(random, 0, 1) == 0) {
    text += '.';
    for (int64_t i = Between(random, 1, 30); i > 0; --i) text += '0' + Between(random, 0, 9);
  }
  if (Between(random, 0, 3) == 0) text += fmt::format("e{}", Between(random, -300, 300));
  return text;
}

std::string RandomDate(Random& random) {
  const int64_t year_max = Between(random, 0, 3) == 0 ? 5'000'000 : 3'000;
  const int64_t year = Between(random, -4'712, year_max);
  return fmt::format("{:04}-{:02}-{:02}{}", year > 0 ? year : 1 - year, Between(random, 1, 12),
                     Between(random, 1, 28), year > 0 ? "" : " BC");
}

std::string RandomTimestamp(Random& random, bool with_offset) {
  const int64_t year = Between(random, -4'712, Between(random, 0, 3) == 0 ? 294'000 : 3'000);
  std::string text =
      fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", year > 0 ? year : 1 - year,
                  Between(random, 1, 12), Between(random, 1, 28), Between(random, 0, 23),
                  Between(random, 0, 59), Between(random, 0, 59));
  if (Between(random, 0, 1) == 0) {
    text +=
        "." + fmt::format("{:06}", Between(random, 0, 999'999)).substr(0, Between(random, 1, 6));
  }
  if (with_offset) {
    switch (Between(random, 0, 3)) {
      case 0:
        text += "Z";
        break;
      case 1:
        text += fmt::format("{:+03}", Between(random, -12, 14));
        break;
      case 2:
        text += fmt::format("{:+03}:{:02}", Between(random, -12, 14), Between(random, 0, 59));
        break;
      default:
        text += fmt::format("{:+03}{:02}", Between(random, -12, 14), Between(random, 0, 59));
    }
  }
  return text + (year > 0 ? "" : " BC");
}

}  // namespace

std::string RandomKeyText(KeyType type, Random& random) {
  switch (type) {
    case KeyType::kSmallint:
      return fmt::to_string(AnySize(random, 15));
    case KeyType::kInteger:
      return fmt::to_string(AnySize(random, 31));
    case KeyType::kBigint:
      return fmt::to_string(AnySize(random, 63));
    case KeyType::kText:
      return RandomText(random);
    case KeyType::kUuid:
      return RandomUuid(random);
    case KeyType::kDate:
      return RandomDate(random);
    case KeyType::kTimestamp:
      return RandomTimestamp(random, false);
    case KeyType::kTimestamptz:
      return RandomTimestamp(random, true);
    case KeyType::kBytea:
      return "\\x" + RandomHex(random, Between(random, 0, 40));
    case KeyType::kNumeric:
      return RandomNumeric(random);
  }
  return {};
}

std::string Mutated(std::string text, Random& random) {
  constexpr std::string_view kAlphabet = "0123456789019ABCDEFabcefxoT Zz:-+._{}\\'infNaBC\t";
  for (int64_t i = Between(random, 1, 3); i > 0; --i) {
    const auto at = static_cast<size_t>(Between(random, 0, text.size()));
    const char c = kAlphabet[Between(random, 0, kAlphabet.size() - 1)];
    const int64_t what = at == text.size() ? 0 : Between(random, 0, 2);
    if (what == 0) {
      text.insert(at, 1, c);
    } else if (what == 1) {
      text[at] = c;
    } else {
      text.erase(at, 1);
    }
  }
  return text;
}

}  // namespace test_support
}  // namespace meridian
