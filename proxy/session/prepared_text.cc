#include "proxy/session/prepared_text.h"

#include <fmt/format.h>

#include "sharding/byte_reader.h"

namespace meridian {

PreparedText::PreparedText(PreparedTexts* owner, uint64_t statement_id, Kind statement_kind,
                           std::string_view statement_text, std::string_view types,
                           const SqlContext& sql_context, std::string key)
    : id(statement_id),
      kind(statement_kind),
      text(statement_text),
      parameter_types(types),
      context(sql_context),
      owner_(owner),
      server_name_(owner == nullptr ? std::string() : ServerNameOf(id)),
      key_(std::move(key)) {
  if (kind == Kind::kSql) return;
  for (size_t i = 0; i + 4 <= types.size(); i += 4) {
    type_oids_.push_back(LoadU32(types.data() + i));
  }
}

PreparedText::~PreparedText() {
  if (owner_ != nullptr) owner_->by_key_.erase(key_);
}

std::string PreparedText::ServerNameOf(uint64_t id) {
  return fmt::format("{}{}", kServerStatementPrefix, id);
}

void PreparedText::Renew(Router& router) const {
  router.Analyze(text, context, type_oids_, &analysis_);
  generation_ = router.generation();
}

Ref<const PreparedText> PreparedTexts::Intern(PreparedText::Kind kind, std::string_view text,
                                              std::string_view parameter_types,
                                              const SqlContext& context, uint64_t schema_version) {
  std::string key = fmt::format("{} {} {} {} {} ", static_cast<int>(kind), schema_version,
                                context.id, parameter_types.size(), text.size());
  key.append(parameter_types).append(text);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) return Ref<const PreparedText>(found->second);
  Ref<const PreparedText> made(
      new PreparedText(this, next_id_++, kind, text, parameter_types, context, key));
  by_key_.emplace(std::move(key), made.get());
  return made;
}

Ref<const PreparedText> PreparedTexts::MakeUnnamed(std::string_view text,
                                                   std::string_view parameter_types,
                                                   const SqlContext& context) {
  return Ref<const PreparedText>(new PreparedText(
      nullptr, next_id_++, PreparedText::Kind::kProtocol, text, parameter_types, context, {}));
}

}  // namespace meridian
