// Bytes of a hostile server: whatever comes is an event or an error.
#include "rebalance/stream/pgoutput.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto event = meridian::pgoutput::Read(input);
  (void)event;
  return 0;
}

std::vector<std::string> FuzzSeeds() {
  using namespace std::string_literals;
  return {
      "B\0\0\0\1\0\0\0\2________\0\0\0\5"s,
      "R\0\0\x40\1public\0orders\0d\0\2\1id\0\0\0\0\x17\xff\xff\xff\xff\0n\0\0\0\0\x19\xff\xff\xff\xff"s,
      "U\0\0\x40\1K\0\2t\0\0\0\1\x37nN\0\2t\0\0\0\1\x38u"s,
      "I\0\0\x40\1N\0\2t\0\0\0\1\x37n"s,
      "T\0\0\0\2\1\0\0\0\1\0\0\0\2"s,
      "M\1\0\0\0\0\0\0\0\x0cmeridian\0\0\0\0\5fence"s};
}
