#include "proxy/session/pending.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace meridian {
namespace {

TEST(PendingQueue, IsFirstInFirstOut) {
  PendingQueue queue;
  std::deque<uint64_t> expected;
  std::mt19937 random(1);
  uint64_t next = 1;
  for (int round = 0; round < 20000; ++round) {
    const size_t wanted = random() % (round % 2000 < 1000 ? 4 : 100);
    while (expected.size() < wanted) {
      Pending& added = queue.Add('E');
      added.prepared_id = next;
      added.MakeDetail().name = std::to_string(next);
      expected.push_back(next++);
    }
    if (expected.empty()) continue;
    if (random() % 8 == 0) {
      queue.pop_back();
      expected.pop_back();
    } else {
      queue.pop_front();
      expected.pop_front();
    }
    ASSERT_EQ(queue.size(), expected.size());
    ASSERT_EQ(queue.empty(), expected.empty());
    if (expected.empty()) continue;
    ASSERT_EQ(queue.front().prepared_id, expected.front());
    ASSERT_EQ(queue.front().detail->name, std::to_string(expected.front()));
    ASSERT_EQ(queue.back().prepared_id, expected.back());
  }
}

TEST(PendingQueue, AnAddedOneIsNew) {
  PendingQueue queue;
  for (int round = 0; round < 10; ++round) {
    const Pending& added = queue.Add('C', Pending::Show::kSwallow, Pending::Purpose::kBegin);
    EXPECT_EQ(added.request, 'C');
    EXPECT_EQ(added.show, Pending::Show::kSwallow);
    EXPECT_EQ(added.purpose, Pending::Purpose::kBegin);
    EXPECT_FALSE(added.failed);
    EXPECT_EQ(added.prepared_id, 0u);
    EXPECT_EQ(added.detail, nullptr);
    queue.front().failed = true;
    queue.front().prepared_id = 7;
    queue.front().MakeDetail().bytes = "answer";
    queue.pop_front();
  }
}

TEST(PendingQueue, ClearForgetsAll) {
  PendingQueue queue;
  for (int i = 0; i < 5; ++i) queue.Add('Q');
  queue.clear();
  EXPECT_TRUE(queue.empty());
  queue.Add('S');
  EXPECT_EQ(queue.front().request, 'S');
  EXPECT_EQ(queue.size(), 1u);
}

}  // namespace
}  // namespace meridian
