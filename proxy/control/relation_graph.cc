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

  // What holds the rows that the relation shows, and whether a view on the way is opaque.
  std::pair<std::vector<TableName>, bool> ReadsOf(const RelationNode& start) const {
    std::vector<TableName> reads;
    bool opaque = start.relation.has_opaque_functions;
    absl::flat_hash_set<Oid> seen = {start.oid};
    std::vector<const RelationNode*> open = {&start};
    while (!open.empty()) {
      const RelationNode& node = *open.back();
      open.pop_back();
      for (const Oid oid : node.references) {
        const RelationNode* const used = Find(oid);
        if (used == nullptr || !seen.insert(oid).second) continue;
        if (used->relation.kind == Kind::kView) {
          opaque = opaque || used->relation.has_opaque_functions;
          open.push_back(used);
        } else if (used->relation.kind != Kind::kSequence && used->relation.kind != Kind::kOther) {
          reads.push_back(used->relation.name);
        }
      }
    }
    std::sort(reads.begin(), reads.end());
    return {std::move(reads), opaque};
  }

  // Breadth first, so that the nearest come first.
  std::vector<TableName> AncestorsOf(const RelationNode& start) const {
    std::vector<TableName> ancestors;
    absl::flat_hash_set<Oid> seen = {start.oid};
    std::vector<const RelationNode*> queue = {&start};
    for (size_t i = 0; i < queue.size(); ++i) {
      for (const Oid oid : queue[i]->parents) {
        const RelationNode* const parent = Find(oid);
        if (parent == nullptr || !seen.insert(oid).second) continue;
        ancestors.push_back(parent->relation.name);
        queue.push_back(parent);
      }
    }
    return ancestors;
  }

 private:
  const std::vector<RelationNode>& nodes_;
  absl::flat_hash_map<Oid, size_t> by_oid_;
};

}  // namespace

std::vector<Relation> ResolveRelations(std::vector<RelationNode> nodes) {
  struct Resolved {
    std::vector<TableName> reads, ancestors;
    bool opaque = false;
  };
  std::vector<Resolved> resolved(nodes.size());
  const Graph graph(nodes);
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::tie(resolved[i].reads, resolved[i].opaque) = graph.ReadsOf(nodes[i]);
    resolved[i].ancestors = graph.AncestorsOf(nodes[i]);
  }
  std::vector<Relation> relations;
  relations.reserve(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    Relation& relation = relations.emplace_back(std::move(nodes[i].relation));
    relation.reads = std::move(resolved[i].reads);
    relation.ancestors = std::move(resolved[i].ancestors);
    relation.has_opaque_functions = resolved[i].opaque;
  }
  return relations;
}

}  // namespace meridian
