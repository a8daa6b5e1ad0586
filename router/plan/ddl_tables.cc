#include "router/plan/ddl_tables.h"
#include "router/plan/names.h"

#include <algorithm>

namespace meridian {
namespace {

// How many of a name's last parts do not name the table: the column of COMMENT ON COLUMN t.c.
size_t PartsBehindTable(std::string_view type) {
  for (const std::string_view part : {"OBJECT_COLUMN", "OBJECT_TRIGGER", "OBJECT_RULE",
                                      "OBJECT_POLICY", "OBJECT_TABCONSTRAINT"}) {
    if (type == part) return 1;
  }
  return 0;
}

bool NamesRelation(std::string_view type) {
  for (const std::string_view relation : {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW",
                                          "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE"}) {
    if (type == relation) return true;
  }
  return PartsBehindTable(type) > 0;
}

class Finder {
 public:
  Finder(const Node& statement, const Planning& planning)
      : statement_(statement), planning_(planning), type_(DdlView(statement).object_type()) {}

  void AddObject(const Node& object) {
    if (!NamesRelation(type_)) return;
    std::vector<std::string_view> names = Names(ItemsView(object).items());
    const size_t behind = PartsBehindTable(type_);
    if (names.size() <= behind) return;
    names.resize(names.size() - behind);
    Add(FindTable(names.size() > 1 ? names[names.size() - 2] : std::string_view(), names.back(),
                  planning_));
  }

  void Add(const TableReference& table) {
    found_.tables.push_back(table);
    // Where an index or a composite type is, the schema snapshot does not tell.
    if (type_ == "OBJECT_INDEX" || type_ == "OBJECT_TYPE") return;
    if (table.mapped != nullptr) {
      if (found_.mapped.empty()) found_.mapped = table.table.ToString();
    } else if (table.view() && !table.relation->reads.empty()) {
      for (const TableName& name : table.relation->reads) {
        Add(FindTable(name.schema, name.name, planning_));
      }
    } else if (table.local()) {
      if (found_.local.empty()) found_.local = table.table.ToString();
    } else if (table.view() && found_.mapped.empty()) {
      found_.mapped = table.table.ToString();  // it reads nothing: every shard has it
    }
  }

  DdlTables Take() { return std::move(found_); }

 private:
  const Node statement_;
  const Planning& planning_;
  const std::string_view type_;
  DdlTables found_;
};

}  // namespace

DdlTables FindDdlTables(const Node& statement, const Query& query, const Planning& planning) {
  Finder finder(statement, planning);
  for (const TableReference& reference : query.references) {
    if (!reference.in_view) finder.Add(reference);
  }
  const DdlView ddl(statement);
  for (const Node object : ddl.objects()) finder.AddObject(object);
  if (ddl.object()) finder.AddObject(ddl.object());
  return finder.Take();
}

}  // namespace meridian
