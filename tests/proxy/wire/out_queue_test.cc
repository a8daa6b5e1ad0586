#include "proxy/wire/out_queue.h"

#include <gtest/gtest.h>

namespace meridian::wire {
namespace {

std::string Joined(const OutQueue& queue) {
  std::string joined;
  queue.ForEachSlice([&](std::string_view slice) { joined.append(slice); });
  return joined;
}

size_t SlicesOf(const OutQueue& queue) {
  size_t count = 0;
  queue.ForEachSlice([&](std::string_view) { ++count; });
  return count;
}

TEST(OutQueue, KeepsTheOrder) {
  OutQueue queue;
  EXPECT_TRUE(queue.empty());
  queue.Append("a");
  queue.Borrow("b");
  queue.Own() += "c";
  queue.Own() += "d";
  queue.Borrow("");
  queue.Borrow("e");
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.size(), 5u);
  EXPECT_EQ(Joined(queue), "abcde");
  EXPECT_EQ(SlicesOf(queue), 4u);
  queue.Append("f");
  EXPECT_EQ(Joined(queue), "abcdef");
  queue.Clear();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.size(), 0u);
}

TEST(OutQueue, NeighboursInTheReadBufferAreOneSlice) {
  const std::string buffer = "abcdef";
  OutQueue queue;
  queue.Borrow(std::string_view(buffer).substr(0, 2));
  queue.Borrow(std::string_view(buffer).substr(2, 2));
  EXPECT_EQ(SlicesOf(queue), 1u);
  queue.Append("x");
  queue.Borrow(std::string_view(buffer).substr(4));
  EXPECT_EQ(Joined(queue), "abcdxef");
  EXPECT_EQ(queue.size(), 7u);
}

TEST(OutQueue, WhatTheKernelDidNotTakeIsKept) {
  for (size_t written = 0; written <= 6; ++written) {
    OutQueue queue;
    queue.Append("ab");
    queue.Borrow("cd");
    queue.Append("ef");
    std::string rest = "-";
    queue.MoveRest(written, rest);
    EXPECT_EQ(rest, "-" + std::string("abcdef").substr(written));
    EXPECT_TRUE(queue.empty());
  }
}

TEST(OutQueue, OwnBytesMoveWhenTheyGrow) {
  OutQueue queue;
  for (int i = 0; i < 1000; ++i) {
    queue.Append("own");
    queue.Borrow("-");
  }
  EXPECT_EQ(Joined(queue).size(), 4000u);
  EXPECT_EQ(Joined(queue).substr(0, 8), "own-own-");
}

}  // namespace
}  // namespace meridian::wire
