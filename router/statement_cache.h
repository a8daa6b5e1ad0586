// The plan cache: statements by shape, the least recently used ones forgotten first.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>
#include <absl/types/span.h>

#include <list>
#include <string>
#include <string_view>

#include "router/router.h"

namespace meridian {

class Router::Cache {
 public:
  // What a statement depends on beside the map and the schema.
  struct Key {
    std::string_view shape;
    uint32_t context = 0;
    absl::Span<const Oid> parameter_types;
  };

  explicit Cache(size_t capacity) : capacity_(capacity) {}

  // nullptr: not there. No allocation.
  const Ref<const Statement>* Find(const Key& key);
  void Insert(const Key& key, Ref<const Statement> statement);
  void Clear();
  size_t size() const { return by_key_.size(); }

 private:
  struct Entry {
    std::string shape;
    uint32_t context = 0;
    absl::InlinedVector<Oid, 4> parameter_types;
    Ref<const Statement> statement;

    Key key() const { return {shape, context, parameter_types}; }
  };
  // Keys are views into the entries: a std::list does not move them.
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  struct Equal {
    bool operator()(const Key& a, const Key& b) const;
  };

  const size_t capacity_;
  std::list<Entry> entries_;  // the most recently used first
  absl::flat_hash_map<Key, std::list<Entry>::iterator, Hash, Equal> by_key_;
};

}  // namespace meridian
