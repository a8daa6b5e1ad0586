// A node of PostgreSQL's parse tree, as libpg_query prints it in JSON
// (docs/adr/0002-parse-tree-as-json.md).
//
// A Node is a view: valid while its ParseTree lives. The tree is generic: whoever visits all
// `ForEachChild` sees every node of a statement, also those that this code has no name for.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "router/parse/node_kind.h"

namespace meridian {

class Node {
 public:
  Node() = default;  // absent
  // Takes the wrapper {"SelectStmt": {...}} off; a struct without one is recognized by its fields.
  static Node Of(simdjson::dom::element element);

  explicit operator bool() const { return present_; }
  NodeKind kind() const { return kind_; }
  bool Is(NodeKind kind) const { return present_ && kind_ == kind; }
  // PostgreSQL's name of the node type, for messages; empty for a struct without wrapper.
  std::string_view type_name() const { return type_name_; }
  // Where the node starts, in bytes from the start of the text; -1: it does not say.
  int64_t location() const { return Int("location"); }
  bool HasLocation() const { return Int("location") > 0; }

  // Fields by PostgreSQL's names: for router/parse only (views.h). An absent field is the zero of
  // its type, since libpg_query leaves zeros out.
  Node Child(std::string_view field) const;
  simdjson::dom::array List(std::string_view field) const;
  std::string_view Text(std::string_view field) const;
  int64_t Int(std::string_view field) const;
  bool Bool(std::string_view field) const;
  bool Has(std::string_view field) const;

  // Calls visit(Node) for every node right below, in any field.
  template <typename Visit>
  void ForEachChild(Visit visit) const {
    if (!present_) return;
    for (const auto field : fields_) VisitValue(field.value, visit);
  }
  // The same without some fields; for router/parse only.
  template <typename Visit>
  void ForEachChildBut(std::initializer_list<std::string_view> but, Visit visit) const {
    if (!present_) return;
    for (const auto field : fields_) {
      if (std::find(but.begin(), but.end(), field.key) == but.end()) VisitValue(field.value, visit);
    }
  }

 private:
  template <typename Visit>
  static void VisitValue(simdjson::dom::element value, Visit& visit) {
    simdjson::dom::array items;
    if (value.is_object()) {
      visit(Of(value));
    } else if (value.get(items) == simdjson::SUCCESS) {
      for (const simdjson::dom::element item : items) VisitValue(item, visit);
    }
  }

  simdjson::dom::object fields_;
  std::string_view type_name_;
  NodeKind kind_ = NodeKind::kOther;
  bool present_ = false;
};

// The items of a list; a view like Node.
class NodeList {
 public:
  class Iterator {
   public:
    explicit Iterator(simdjson::dom::array::iterator at) : at_(at) {}
    Node operator*() const { return Node::Of(*at_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    simdjson::dom::array::iterator at_;
  };

  explicit NodeList(simdjson::dom::array items) : items_(items) {}
  Iterator begin() const { return Iterator(items_.begin()); }
  Iterator end() const { return Iterator(items_.end()); }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.size() == 0; }
  Node operator[](size_t index) const { return Node::Of(items_.at(index).value()); }

 private:
  simdjson::dom::array items_;
};

}  // namespace meridian
