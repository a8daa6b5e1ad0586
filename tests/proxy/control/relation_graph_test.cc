#include "proxy/control/relation_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Relation::Kind;

RelationNode Node(Oid oid, const char* name, Kind kind, std::vector<Oid> references = {},
                  std::vector<Oid> parents = {}) {
  RelationNode node;
  node.oid = oid;
  node.relation.name = {"s", name};
  node.relation.kind = kind;
  node.references = std::move(references);
  node.parents = std::move(parents);
  return node;
}
TableName T(const char* name) { return {"s", name}; }

TEST(RelationGraph, ViewsReadThroughViewsButNotThroughMaterializedOnes) {
  const auto relations = ResolveRelations({
      Node(1, "b", Kind::kTable),
      Node(2, "a", Kind::kForeignTable),
      Node(3, "seq", Kind::kSequence),
      Node(4, "low", Kind::kView, {1, 3}),
      Node(5, "stored", Kind::kMaterializedView, {4}),
      Node(6, "high", Kind::kView, {4, 2, 5, 4}),
  });
  EXPECT_THAT(relations[3].reads, ElementsAre(T("b")));
  EXPECT_THAT(relations[4].reads, ElementsAre(T("b")));
  EXPECT_THAT(relations[5].reads, ElementsAre(T("a"), T("b"), T("stored")));
}

TEST(RelationGraph, AnOpaqueViewMakesItsReadersOpaque) {
  std::vector<RelationNode> nodes = {
      Node(1, "opaque", Kind::kView),
      Node(2, "reader", Kind::kView, {1}),
      Node(3, "stored", Kind::kMaterializedView, {1}),
      Node(4, "clean", Kind::kView, {3}),
  };
  nodes[0].relation.has_opaque_functions = true;
  const auto relations = ResolveRelations(std::move(nodes));
  EXPECT_TRUE(relations[0].has_opaque_functions);
  EXPECT_TRUE(relations[1].has_opaque_functions);
  EXPECT_TRUE(relations[2].has_opaque_functions);
  // What a materialized view was made with does not run when it is read.
  EXPECT_FALSE(relations[3].has_opaque_functions);
}

TEST(RelationGraph, AncestorsNearestFirst) {
  const auto relations = ResolveRelations({
      Node(1, "root", Kind::kTable),
      Node(2, "middle", Kind::kTable, {}, {1}),
      Node(3, "leaf", Kind::kTable, {}, {2, 99}),
      Node(4, "other", Kind::kTable),
      Node(5, "heir", Kind::kTable, {}, {2, 4}),
  });
  EXPECT_THAT(relations[0].ancestors, IsEmpty());
  EXPECT_THAT(relations[2].ancestors, ElementsAre(T("middle"), T("root")));
  EXPECT_THAT(relations[4].ancestors, ElementsAre(T("middle"), T("other"), T("root")));
}

TEST(RelationGraph, WhatHasAPartThatReplicasLackDiffersThere) {
  std::vector<RelationNode> nodes = {
      Node(1, "root", Kind::kTable),
      Node(2, "middle", Kind::kTable, {}, {1}),
      Node(3, "unlogged", Kind::kTable, {}, {2}),
      Node(4, "logged", Kind::kTable, {}, {2}),
      Node(5, "reader", Kind::kView, {1}),
      Node(6, "seq", Kind::kSequence),
      Node(7, "counter", Kind::kView, {6}),
  };
  nodes[2].relation.differs_on_replica = nodes[5].relation.differs_on_replica = true;
  std::string differ;
  for (const Relation& relation : ResolveRelations(std::move(nodes))) {
    if (relation.differs_on_replica) differ += relation.name.name + " ";
  }
  EXPECT_EQ(differ, "root middle unlogged reader seq counter ");
}

TEST(RelationGraph, CyclesAndUnknownReferencesDoNoHarm) {
  const auto relations = ResolveRelations({
      Node(1, "v", Kind::kView, {2, 77}, {1}),
      Node(2, "w", Kind::kView, {1, 2, 3}),
      Node(3, "t", Kind::kTable, {}, {3}),
  });
  EXPECT_THAT(relations[0].reads, ElementsAre(T("t")));
  EXPECT_THAT(relations[1].reads, ElementsAre(T("t")));
  EXPECT_THAT(relations[2].ancestors, IsEmpty());
}

}  // namespace
}  // namespace meridian
