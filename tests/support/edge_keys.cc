#include <fmt/format.h>

#include "tests/support/random_keys.h"

namespace meridian {
inline namespace test_support {
namespace {

// Every length from 0 to 40, so all residues of the hash's blocks.
std::vector<std::string> TextsOfEachLength() {
  std::vector<std::string> texts;
  for (size_t length = 0; length <= 40; ++length) {
    std::string text;
    for (size_t i = 0; i < length; ++i) text += static_cast<char>('a' + (i * 7 + length) % 26);
    texts.push_back(text);
  }
  return texts;
}

std::vector<std::string> EdgeTexts() {
  std::vector<std::string> texts = TextsOfEachLength();
  for (const char* text : {" ", "  x ", "é", "日本語", "😀😀😀", "\x01", "it's", "back\\slash", "ÿ",
                           "\U0010FFFF", "\uD7FF\uE000", "Straße"}) {
    texts.push_back(text);
  }
  texts.push_back(std::string(100'000, 'x'));
  return texts;
}

std::vector<std::string> EdgeBytea() {
  std::vector<std::string> texts;
  for (const std::string& text : TextsOfEachLength()) {
    std::string hex = "\\x";
    for (const char c : text) hex += fmt::format("{:02x}", static_cast<unsigned char>(c * 5));
    texts.push_back(hex);
  }
  for (const char* text :
       {"\\x00", "\\xFFff00", "\\x 01\n02\t03 ", "abc", "a\\\\b", "\\000\\377x"}) {
    texts.push_back(text);
  }
  return texts;
}

}  // namespace

std::vector<std::string> EdgeKeyTexts(KeyType type) {
  switch (type) {
    case KeyType::kSmallint:
      return {"0", "-1", "1", "32767", "-32768", " \t\n\v\f\r+7 ", "-0", "007"};
    case KeyType::kInteger:
      return {"0", "-1", "1", "2147483647", "-2147483648", "  42", "42  ", "+0"};
    case KeyType::kBigint:
      return {"0",
              "-1",
              "1",
              "9223372036854775807",
              "-9223372036854775808",
              "4294967295",
              "4294967296",
              "-4294967296",
              "-2147483649",
              "00000000000000000000001"};
    case KeyType::kText:
      return EdgeTexts();
    case KeyType::kUuid:
      return {"00000000-0000-0000-0000-000000000000",    "ffffffff-ffff-ffff-ffff-ffffffffffff",
              "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",  "a0eebc999c0b4ef8bb6d6bb9bd380a11",
              "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380A11}",
              "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"};
    case KeyType::kDate:
      return {"2000-01-01",       "1999-12-31",    "1970-01-01",    "0001-01-01",
              "0001-12-31 BC",    "4714-11-24 BC", "5874897-12-31", "5874897-12-30",
              "infinity",         "-infinity",     " 2024-02-29 ",  "2000-02-29",
              "0005-02-28 BC",    "0005-02-29 BC", "Infinity",      "10000-01-01",
              "0044-03-15 bc",    "1 May 2031",    "May 02, 0031",  "31-dec-1999",
              "SEPTEMBER-01-2024"};
    case KeyType::kTimestamp:
      return {"2000-01-01 00:00:00",
              "1999-12-31 23:59:59.999999",
              "4714-11-24 00:00:00 BC",
              "294276-12-31 23:59:59.999999",
              "infinity",
              "-infinity",
              "2024-02-29T12:34:56",
              "2024-02-29 12:34",
              "2024-02-29",
              "0001-01-01 BC",
              "2024-02-29 12:34:56.1",
              "2024-02-29 12:34:56.120+05:30",
              "2024-02-29 12:34:56Z",
              " 2024-02-29 12:34:56-08 ",
              "2 jan 2003"};
    case KeyType::kTimestamptz:
      return {"2000-01-01 00:00:00+00",
              "1999-12-31 23:59:59.999999+00",
              "infinity",
              "-INFINITY",
              "4714-11-24 00:00:00+00 BC",
              "4714-11-23 23:00:00-01 BC",
              "294276-12-31 23:59:59.999999+00",
              "294277-01-01 00:30:00+01",
              "2024-02-29T12:34:56Z",
              "2024-02-29 12:34+02",
              "2024-02-29 12:34:56.5-0330",
              "2024-02-29 12:34:56+05:30:15",
              "0044-03-15 12:00:00+15:59 BC"};
    case KeyType::kBytea:
      return EdgeBytea();
    case KeyType::kNumeric:
      return {"0",
              "-0",
              "0.000",
              "1",
              "-1",
              "1.50",
              "1.5",
              "NaN",
              "nan",
              "Infinity",
              "-Infinity",
              "inf",
              "+inf",
              "-inf",
              "+Infinity",
              " 12.5 ",
              ".5",
              "5.",
              "1e10",
              "1E-10",
              "1.5e+3",
              "0001.1000",
              "1e131071",
              "9e131071",
              "1e-16383",
              "0e100000",
              "1e-20",
              "-1e20",
              "12345678901234567890.12345678901234567890",
              "10000",
              "9999",
              "100000000"};
  }
  return {};
}

}  // namespace test_support
}  // namespace meridian
