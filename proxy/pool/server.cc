#include "proxy/pool/server.h"

#include "proxy/pool/server_login.h"
#include "proxy/wire/message_writer.h"

namespace meridian {

bool PreparedOnServer::Touch(uint64_t id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  order_.splice(order_.begin(), order_, found->second);
  return true;
}

void PreparedOnServer::Add(uint64_t id) {
  if (Touch(id)) return;
  order_.push_front(id);
  by_id_.emplace(id, order_.begin());
}

void PreparedOnServer::Remove(uint64_t id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  order_.erase(found->second);
  by_id_.erase(found);
}

void PreparedOnServer::Clear() {
  order_.clear();
  by_id_.clear();
}

Server::Server(uint64_t server_id, Pool& its_pool) : id(server_id), pool(its_pool) {}
Server::~Server() = default;

void Server::SendQuery(std::string_view sql) {
  wire::AppendQuery(out.Own(), sql);
  unnamed_statement = 0;
}

}  // namespace meridian
