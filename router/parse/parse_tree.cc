#include "router/parse/parse_tree.h"

#include <pg_query.h>

#include <cstring>

namespace meridian {
namespace {

// Levels of JSON, about two per level of the tree. Deeper trees are machine-made or hostile;
// whoever walks the tree recursively needs a bound.
constexpr size_t kMaxDepth = 2048;

// The messages of gram.y and scan.l that go with SQLSTATE 42601 (libpg_query gives no SQLSTATE).
bool IsSyntaxError(std::string_view message) {
  for (const std::string_view start : {"syntax error", "unterminated ",
                                       "zero-length delimited identifier", "trailing junk after"}) {
    if (message.starts_with(start)) return true;
  }
  return false;
}

class PgQueryResult {
 public:
  explicit PgQueryResult(const char* text) : result_(pg_query_parse(text)) {}
  ~PgQueryResult() { pg_query_free_parse_result(result_); }
  PgQueryResult(const PgQueryResult&) = delete;
  PgQueryResult& operator=(const PgQueryResult&) = delete;
  const char* json() const { return result_.error == nullptr ? result_.parse_tree : nullptr; }
  std::string_view error() const {
    const bool has_message = result_.error != nullptr && result_.error->message != nullptr;
    return has_message ? result_.error->message : "";
  }

 private:
  PgQueryParseResult result_;
};

}  // namespace

std::optional<ParseTree> ParseTree::Parse(const std::string& text, bool* is_syntax_error) {
  *is_syntax_error = false;
  if (text.find('\0') != std::string::npos) return std::nullopt;
  const PgQueryResult parsed(text.c_str());
  if (parsed.json() == nullptr) {
    *is_syntax_error = IsSyntaxError(parsed.error());
    return std::nullopt;
  }
  ParseTree tree;
  tree.json_ = std::make_unique<simdjson::dom::parser>();
  const size_t size = std::strlen(parsed.json());
  simdjson::dom::element root;
  simdjson::dom::array statements;
  if (tree.json_->allocate(size, kMaxDepth) != simdjson::SUCCESS ||
      tree.json_->parse(parsed.json(), size).get(root) != simdjson::SUCCESS ||
      root["stmts"].get(statements) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  for (const simdjson::dom::element item : statements) {
    const Node raw = Node::Of(item);
    Part part;
    part.begin = static_cast<uint32_t>(raw.Int("stmt_location"));
    // A length of 0 means the rest of the text.
    const int64_t length = raw.Int("stmt_len");
    part.end = length == 0 ? static_cast<uint32_t>(text.size())
                           : part.begin + static_cast<uint32_t>(length);
    part.statement = raw.Child("stmt");
    tree.parts_.push_back(part);
  }
  return tree;
}

}  // namespace meridian
