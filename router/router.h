// The router: statement text + values + shard map + schema + session settings -> where it goes.
//
// One per worker, no locks, no I/O, no clock. `Analyze` is the plan cache; `Decide` is the hot path
// after it.
#pragma once

#include <absl/container/inlined_vector.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "router/decision.h"
#include "router/ref.h"
#include "router/schema.h"
#include "router/statement.h"
#include "router/values.h"
#include "sharding/shard_map.h"

namespace meridian {

// The settings of a session on which the meaning of its text depends. Interned by the session
// layer: equal contexts of a worker have equal `id`s, and different ones different ids.
struct SqlContext {
  uint32_t id = 0;
  std::vector<std::string> search_path = {"public"};  // "$user" already replaced
  bool standard_conforming_strings = true;
  ClientEncoding encoding = ClientEncoding::kUtf8;  // not one that EmbedsAscii
};

// The statements of one text. Reuse one object: it keeps its memory.
struct Analysis {
  struct Part {
    TextRange range;  // without the ';'
    Ref<const Statement> statement;
    // Its literals: `literals[first_literal, first_literal + literal_count)`; their ranges are in
    // the whole text.
    uint32_t first_literal = 0;
    uint32_t literal_count = 0;
  };
  absl::InlinedVector<Part, 1> parts;  // empty: an empty query (only white space, comments, ';')
  std::vector<Literal> literals;
  std::string shape;  // scratch

  absl::Span<const Literal> LiteralsOf(const Part& part) const {
    return absl::MakeConstSpan(literals).subspan(part.first_literal, part.literal_count);
  }
};

struct RouterLimits {
  size_t max_parsed_text_bytes = 64 * 1024;  // longer text is opaque
  size_t max_cached_statements = 4096;
};

struct RouterCounters {
  uint64_t cache_hits = 0;
  uint64_t cache_misses = 0;
};

class Router {
 public:
  explicit Router(RouterLimits limits);
  ~Router();

  // From now on plan with these; forgets all cached statements. Statements that are still held stay
  // valid as values, but must be analyzed again: Decide refuses to mix (see StatementIsCurrent).
  void Publish(std::shared_ptr<const ShardMap> map, std::shared_ptr<const Schema> schema);
  const ShardMap& map() const { return *map_; }
  const std::shared_ptr<const ShardMap>& shared_map() const { return map_; }
  const Schema& schema() const { return *schema_; }
  // Changes with each Publish.
  uint64_t generation() const { return generation_; }

  // Splits and classifies `text`. Text that this grammar cannot parse, or that is too long to be
  // parsed, becomes one opaque part (Verb::kOther or the verb its first word tells), never an
  // error: the server is the judge. `parameter_types` are those declared in Parse (may be shorter
  // than the parameters, 0 = not declared).
  void Analyze(std::string_view text, const SqlContext& context,
               absl::Span<const Oid> parameter_types, Analysis* analysis);

  // Where this execution goes; an error (0A000 and others) when it cannot be done correctly.
  // Precondition: `statement` is of the current generation.
  absl::StatusOr<Decision> Decide(const Statement& statement, const Values& values,
                                  const RouteHints& hints) const;
  // The shards to which the statement may go whatever the values (for a Parse or Describe that
  // comes before its Bind): one of these will do. Never empty.
  ShardSet Candidates(const Statement& statement, const RouteHints& hints) const;

  // The parts of a kSplit decision. `values.text` is the text of the statement's part only, with
  // literal ranges relative to it.
  absl::StatusOr<std::vector<ShardInsert>> SplitInsert(const Statement& statement,
                                                       const Values& values) const;

  // How the rows of a kMove decision move. `values` as for Decide.
  absl::StatusOr<KeyMove> FindKeyMove(const Statement& statement, const Values& values) const;

  // The key that the statement uses, if it is one; `values` as for Decide.
  std::optional<UsedKey> FindUsedKey(const Statement& statement, const Values& values) const;

  // What a shard that may hold stray rows (ShardMap::strays) is sent instead of `text`, a part of
  // which Decide said that several shards run it: it leaves them out. 55006 where that cannot be
  // said in the text.
  absl::StatusOr<std::string> OwnedText(std::string_view text, const SqlContext& context,
                                        absl::Span<const Oid> parameter_types,
                                        ShardIndex shard) const;

  // The shard of a `meridian.distribution_key` setting: `value` when one distribution exists, else
  // `distribution:value`; composite keys as a row literal, `(1,abc)`. 22023 when it is not one.
  absl::StatusOr<ShardIndex> ShardOfKey(std::string_view setting) const;

  // For EXPLAIN ROUTE: one line per reason (which table, which key condition, which shards).
  std::vector<std::string> Explain(const Statement& statement, const Values& values,
                                   const RouteHints& hints) const;

  const RouterCounters& counters() const { return counters_; }
  size_t cached_statements() const;

 private:
  class Cache;
  struct Reading;
  // `literals`: of the text; its strings are hidden from the parser where they must be and may be.
  Reading Read(std::string_view text, const SqlContext& context, absl::Span<const Literal> literals,
               bool strings_known) const;
  void AnalyzeAnew(std::string_view text, const SqlContext& context,
                   absl::Span<const Oid> parameter_types, Analysis* analysis) const;

  RouterLimits limits_;
  std::shared_ptr<const ShardMap> map_;
  std::shared_ptr<const Schema> schema_;
  uint64_t generation_ = 0;
  std::unique_ptr<Cache> cache_;
  RouterCounters counters_;
};

}  // namespace meridian
