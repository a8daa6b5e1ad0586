// A host of admin sessions without a proxy behind it: it answers every command with one row, at
// once or when it is told to.
#pragma once

#include "proxy/admin/admin_session.h"

namespace meridian {

class FakeAdminHost : public AdminHost {
 public:
  explicit FakeAdminHost(bool at_once) : at_once_(at_once) {}

  const ShardMap& AdminMap() override { return *map_; }
  void Execute(AdminSession& session, const AdminStatement& statement) override {
    executed.push_back(statement.text);
    if (at_once_) Reply(session);
  }
  std::vector<AdminColumn> ColumnsOf(const Command&) override {
    return {{"number", type_oid::kInt4}};
  }
  void MarkDirty(AdminSession&) override {}
  void CloseClient(AdminSession&) override { closed = true; }

  void Reply(AdminSession& session) {
    AdminResult result;
    result.table.columns = ColumnsOf({});
    result.table.rows = {{"1"}, {std::nullopt}, {"3"}};
    result.tag = "SHOW";
    AdminNotice notice;
    notice.message = "look";
    session.OnReply({.result = std::move(result), .notices = {notice}});
  }
  // Answers until the session has read all that it has.
  void ReplyToAll(AdminSession& session) {
    while (session.waiting() && !closed) Reply(session);
  }

  std::vector<std::string> executed;
  bool closed = false;

 private:
  const bool at_once_;
  const std::shared_ptr<const ShardMap> map_ =
      ShardMap::Build(Epoch{1}, {{"s1", {{"db1", 5432}}, {}}}, {}, {}).value();
};

}  // namespace meridian
