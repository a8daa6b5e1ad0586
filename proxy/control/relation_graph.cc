#include "proxy/control/relation_graph.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <utility>

namespace meridian {
namespace {

using Kind = Relation::Kind;

class Graph {
 public:
  explicit Graph(const std::vector<RelationNode>& nodes) : nodes_(nodes) {
    by_oid_.reserve(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) by_oid_.emplace(nodes[i].oid, i);
  }

  const RelationNode* Find(Oid oid) const {
    const auto found = by_oid_.find(oid);
    return found == by_oid_.end() ? nullptr : &nodes_[found->second];
  }

  struct Reads {
    std::vector<TableName> tables;  // that hold the rows which the relation shows
    bool opaque = false;            // a view on the way is
    bool differs_on_replica = false;
  };
  Reads ReadsOf(const RelationNode& start) const {
    Reads reads{{}, start.relation.has_opaque_functions, start.relation.differs_on_replica};
    absl::flat_hash_set<Oid> seen = {start.oid};
    std::vector<const RelationNode*> open = {&start};
    while (!open.empty()) {
      const RelationNode& node = *open.back();
      open.pop_back();
      for (const Oid oid : node.references) {
        const RelationNode* const used = Find(oid);
        if (used == nullptr || !seen.insert(oid).second) continue;
        reads.differs_on_replica |= used->relation.differs_on_replica;
        if (used->relation.kind == Kind::kView) {
          reads.opaque |= used->relation.has_opaque_functions;
          open.push_back(used);
        } else if (used->relation.kind != Kind::kSequence && used->relation.kind != Kind::kOther) {
          reads.tables.push_back(used->relation.name);
        }
      }
    }
    std::sort(reads.tables.begin(), reads.tables.end());
    return reads;
  }

  // Breadth first, so that the nearest come first.
  std::vector<const RelationNode*> AncestorsOf(const RelationNode& start) const {
    absl::flat_hash_set<Oid> seen = {start.oid};
    std::vector<const RelationNode*> queue = {&start};
    for (size_t i = 0; i < queue.size(); ++i) {
      for (const Oid oid : queue[i]->parents) {
        const RelationNode* const parent = Find(oid);
        if (parent == nullptr || !seen.insert(oid).second) continue;
        queue.push_back(parent);
      }
    }
    queue.erase(queue.begin());
    return queue;
  }

 private:
  const std::vector<RelationNode>& nodes_;
  absl::flat_hash_map<Oid, size_t> by_oid_;
};

}  // namespace

std::vector<Relation> ResolveRelations(std::vector<RelationNode> nodes) {
  const Graph graph(nodes);
  std::vector<std::vector<TableName>> ancestors(nodes.size());
  // What a partition is, its ancestors are, and the views that read these.
  std::vector<size_t> with_differing_part;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const RelationNode* const ancestor : graph.AncestorsOf(nodes[i])) {
      ancestors[i].push_back(ancestor->relation.name);
      if (!nodes[i].relation.differs_on_replica) continue;
      with_differing_part.push_back(static_cast<size_t>(ancestor - nodes.data()));
    }
  }
  for (const size_t i : with_differing_part) nodes[i].relation.differs_on_replica = true;
  std::vector<Graph::Reads> reads;
  for (const RelationNode& node : nodes) reads.push_back(graph.ReadsOf(node));
  std::vector<Relation> relations;
  relations.reserve(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    Relation& relation = relations.emplace_back(std::move(nodes[i].relation));
    relation.ancestors = std::move(ancestors[i]);
    relation.reads = std::move(reads[i].tables);
    relation.has_opaque_functions = reads[i].opaque;
    relation.differs_on_replica = reads[i].differs_on_replica;
  }
  return relations;
}

}  // namespace meridian
