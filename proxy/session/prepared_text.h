// A prepared statement as a client made it: its text, its parameter types, and what the router says
// of it.
//
// Interned per worker for named statements, so that sessions which prepare the same text share one
// statement on each server connection. A text that was prepared before a change of the schema is
// another statement than the same text prepared after it: a server that holds the old one would
// answer "cached plan must not change result type".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "router/ref.h"
#include "router/router.h"
#include "sharding/string_map.h"

namespace meridian {

class PreparedTexts;

class PreparedText : public RefCounted {
 public:
  // How it was made, and so how it must be made on another server connection.
  enum class Kind : uint8_t { kProtocol, kSql };

  ~PreparedText();

  const uint64_t id;
  const Kind kind;
  const std::string text;  // kSql: what stands behind PREPARE name [(types)] AS
  const std::string
      parameter_types;  // kProtocol: OIDs in network order; kSql: the list in parentheses, or empty
  const SqlContext& context;  // of the session that made it

  // The name on server connections; no client's statement has a name that begins so. Empty where it
  // is not interned.
  const std::string& ServerName() const { return server_name_; }
  static std::string ServerNameOf(uint64_t id);
  // Whether it is one of a named statement; else it goes by the unnamed one.
  bool interned() const { return owner_ != nullptr; }
  // The router's analysis under its current map and schema.
  const Analysis& Current(Router& router) const {
    if (generation_ != router.generation()) Renew(router);
    return analysis_;
  }
  const std::vector<Oid>& type_oids() const { return type_oids_; }
  // A server has accepted it, and would do so again: the next client that prepares the same need
  // not ask. (If not, because of a change that is not known yet, Bind tells.)
  bool known_good() const { return known_good_; }
  void SetKnownGood() const { known_good_ = true; }

 private:
  friend class PreparedTexts;
  PreparedText(PreparedTexts* owner, uint64_t id, Kind kind, std::string_view text,
               std::string_view parameter_types, const SqlContext& context, std::string key);

  void Renew(Router& router) const;

  PreparedTexts* owner_;  // nullptr: not interned
  const std::string server_name_;
  std::string key_;
  std::vector<Oid> type_oids_;
  mutable Analysis analysis_;
  mutable uint64_t generation_ = 0;
  mutable bool known_good_ = false;
};

inline constexpr std::string_view kServerStatementPrefix = "__meridian_";

class PreparedTexts {
 public:
  // For a named statement. `schema_version` is that of the router now.
  Ref<const PreparedText> Intern(PreparedText::Kind kind, std::string_view text,
                                 std::string_view parameter_types, const SqlContext& context,
                                 uint64_t schema_version);
  // For the unnamed statement.
  Ref<const PreparedText> MakeUnnamed(std::string_view text, std::string_view parameter_types,
                                      const SqlContext& context);
  size_t size() const { return by_key_.size(); }

 private:
  friend class PreparedText;
  uint64_t next_id_ = 1;
  StringMap<const PreparedText*> by_key_;
};

}  // namespace meridian
