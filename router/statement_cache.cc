#include "router/statement_cache.h"

#include <xxhash.h>

#include <utility>

namespace meridian {

size_t Router::Cache::Hash::operator()(const Key& key) const {
  return XXH3_64bits_withSeed(key.shape.data(), key.shape.size(), key.context);
}

bool Router::Cache::Equal::operator()(const Key& a, const Key& b) const {
  return a.context == b.context && a.shape == b.shape && a.parameter_types == b.parameter_types;
}

const Ref<const Statement>* Router::Cache::Find(const Key& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->statement;
}

void Router::Cache::Insert(const Key& key, Ref<const Statement> statement) {
  if (capacity_ == 0 || by_key_.contains(key)) return;
  if (entries_.size() >= capacity_) {
    by_key_.erase(entries_.back().key());
    entries_.pop_back();
  }
  entries_.push_front({std::string(key.shape),
                       key.context,
                       {key.parameter_types.begin(), key.parameter_types.end()},
                       std::move(statement)});
  by_key_.emplace(entries_.front().key(), entries_.begin());
}

void Router::Cache::Clear() {
  by_key_.clear();
  entries_.clear();
}

}  // namespace meridian
