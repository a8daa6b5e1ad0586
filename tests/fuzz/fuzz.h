// What a fuzz target provides; the same symbol that libFuzzer calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Must not crash, hang or touch memory it does not own, whatever the input is. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// Valid inputs to start from.
std::vector<std::string> FuzzSeeds();
