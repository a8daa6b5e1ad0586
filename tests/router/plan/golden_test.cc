// Golden plans: tests/router/plan/golden/*.txt. A file is a world (world.h), then after a line
// "---" cases: a statement, values of its parameters ("$1 int8 = 5", "$1 = null", "$1 int8 =
// \x00..." in binary format), "hint: s1", "search_path: a, b", "scs: off", "encoding: LATIN2" (a
// character of the file is then the byte of its code point, as in LATIN1) or "session" (to show
// what the session is told), then lines "-> ...", one per part. MERIDIAN_UPDATE_GOLDEN=1 writes
// what the router says now into the files.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "router/copy/copy_spec.h"
#include "sharding/sql_status.h"
#include "tests/router/plan/world.h"

namespace meridian {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolder = MERIDIAN_SOURCE_DIR "/tests/router/plan/golden";

struct Bound {
  Oid type = 0;
  bool binary = false;
  std::optional<std::string> value;
};

struct Case {
  std::string head;  // as written, without the "->" lines
  std::string text;
  std::map<size_t, Bound> bound;
  std::optional<std::string> hint;
  SqlContext context;
  bool session = false;
  std::string expected;
};

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Oid OidOf(const std::string& name) {
  static const std::map<std::string, Oid> oids = {
      {"int2", 21},     {"int4", 23},     {"int8", 20},     {"text", 25},        {"varchar", 1043},
      {"uuid", 2950},   {"date", 1082},   {"float8", 701},  {"bpchar", 1042},    {"numeric", 1700},
      {"int8[]", 1016}, {"int4[]", 1007}, {"text[]", 1009}, {"timestamp", 1114}, {"unknown", 705}};
  return oids.at(name);
}

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// U+0080 to U+00FF as bytes.
std::string ToBytes(const std::string& utf8) {
  std::string bytes;
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80 || i + 1 == utf8.size()) {
      bytes.push_back(utf8[i]);
    } else {
      bytes.push_back(static_cast<char>((byte & 0x03) << 6 | (utf8[++i] & 0x3F)));
    }
  }
  return bytes;
}

void ReadValue(const std::string& line, Case* c) {
  const size_t equal = line.find(" = ");
  std::istringstream head(line.substr(1, equal - 1));
  size_t number = 0;
  std::string type;
  head >> number >> type;
  Bound& bound = c->bound[number - 1];
  if (!type.empty()) bound.type = OidOf(type);
  const std::string value = line.substr(equal + 3);
  bound.binary = value.starts_with("\\x");
  if (value != "null") bound.value = bound.binary ? FromHex(value.substr(2)) : value;
}

Case ReadCase(const std::string& block) {
  Case c;
  std::istringstream lines(block);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("-> ")) {
      c.expected += line + "\n";
      continue;
    }
    c.head += line + "\n";
    if (line.starts_with("#")) continue;
    if (line.starts_with("$") && line.find(" = ") != std::string::npos) {
      ReadValue(line, &c);
    } else if (line.starts_with("hint: ")) {
      c.hint = line.substr(6);
    } else if (line == "scs: off") {
      c.context.standard_conforming_strings = false;
    } else if (line.starts_with("encoding: ")) {
      c.context.encoding = ClientEncodingByName(line.substr(10)).value();
    } else if (line.starts_with("search_path: ")) {
      c.context.search_path.clear();
      std::istringstream names(line.substr(13));
      for (std::string name; names >> name;) c.context.search_path.push_back(name);
    } else if (line == "session") {
      c.session = true;
    } else {
      c.text += (c.text.empty() ? "" : "\n") + line;
    }
  }
  if (!IsUtf8(c.context.encoding)) {
    c.text = ToBytes(c.text);
    for (auto& [index, bound] : c.bound) {
      if (!bound.binary && bound.value.has_value()) bound.value = ToBytes(*bound.value);
    }
  }
  c.context.id = (c.context.standard_conforming_strings ? 1 : 2) +
                 2 * static_cast<uint32_t>(c.context.encoding);
  for (const std::string& name : c.context.search_path)
    c.context.id = c.context.id * 31 + name.size();
  return c;
}

std::string ShardNames(const ShardMap& map, const ShardSet& shards) {
  std::string names;
  shards.ForEach([&](ShardIndex shard) { names += " " + map.shard(shard).name; });
  return names;
}

std::string VerbText(Verb verb) {
  static const char* const kNames[] = {"empty",
                                       "select",
                                       "insert",
                                       "update",
                                       "delete",
                                       "merge",
                                       "copy-in",
                                       "copy-out",
                                       "truncate",
                                       "lock",
                                       "call",
                                       "explain",
                                       "ddl",
                                       "maintenance",
                                       "begin",
                                       "commit",
                                       "rollback",
                                       "savepoint",
                                       "release",
                                       "rollback-to",
                                       "set-transaction",
                                       "prepare-transaction",
                                       "finish-prepared",
                                       "set",
                                       "reset",
                                       "show",
                                       "discard",
                                       "prepare",
                                       "execute",
                                       "deallocate",
                                       "listen",
                                       "unlisten",
                                       "notify",
                                       "declare",
                                       "fetch",
                                       "close",
                                       "other"};
  return kNames[static_cast<size_t>(verb)];
}

std::string SessionText(const Statement& s, const std::string& text) {
  std::ostringstream out;
  out << " | " << VerbText(s.verb) << (s.writes ? " writes" : "") << (s.returns_rows ? " rows" : "")
      << (s.local ? " local" : "") << (s.all ? " all" : "") << (s.chain ? " chain" : "")
      << (s.needs_own_transaction ? " own-transaction" : "")
      << (s.shared_by_shape ? "" : " unshared") << (s.changes_schema ? " schema" : "");
  if (s.pin != PinReason::kNone) out << " pin:" << PinReasonName(s.pin);
  if (s.reads_sequence_state) out << " sequence-state";
  if (s.draws) out << " draws";
  if (s.reads_tables && s.differs_on_replica) out << " primary";
  if (!s.name.empty()) out << " name:" << s.name;
  if (s.value_parameter) out << " value:$" << *s.value_parameter + 1;
  for (const std::string& argument : s.arguments) out << " arg:" << argument;
  if (s.name_range.size() > 0) {
    out << " at:" << text.substr(s.name_range.begin, s.name_range.size());
  }
  if (s.body_range.size() > 0) {
    out << " body:" << text.substr(s.body_range.begin, s.body_range.size());
  }
  for (const Oid type : s.prepare_types) out << " type:" << type;
  for (const ExecuteArgument& a : s.execute_arguments) {
    out << " value:";
    if (a.kind == ExecuteArgument::Kind::kNull) out << "null";
    if (a.kind == ExecuteArgument::Kind::kOther) out << "other";
    if (a.kind == ExecuteArgument::Kind::kLiteral) {
      out << (a.negative ? "-" : "") << text.substr(a.literal.range.begin, a.literal.range.size());
    }
  }
  if (s.copy != nullptr) {
    out << " copy:" << static_cast<int>(s.copy->format) << "/" << s.copy->field_count;
    for (const size_t field : s.copy->key_fields) out << ":" << field;
    out << " [" << s.copy->delimiter << s.copy->quote << s.copy->escape << s.copy->null_text << "]"
        << (s.copy->header ? " header" : "");
    if (s.copy->encoding.has_value()) out << " encoding:" << static_cast<int>(*s.copy->encoding);
    for (const bool force : s.copy->force_null) out << (force ? " force-null" : "");
    for (const bool force : s.copy->force_not_null) out << (force ? " force-not-null" : "");
  }
  return out.str();
}

std::string PartText(const Router& router, const Case& c, const Analysis& analysis,
                     const Analysis::Part& part) {
  std::vector<Literal> literals;
  for (Literal literal : analysis.LiteralsOf(part)) {
    literal.range.begin -= part.range.begin;
    literal.range.end -= part.range.begin;
    literals.push_back(literal);
  }
  std::vector<Parameter> parameters;
  for (const auto& [index, bound] : c.bound) {
    parameters.resize(std::max(parameters.size(), index + 1));
    parameters[index] = {bound.type, bound.binary, bound.value};
  }
  const std::string text = c.text.substr(part.range.begin, part.range.size());
  const Values values{text, literals, parameters, c.context.encoding};
  RouteHints hints;
  if (c.hint.has_value()) hints.shard = router.map().FindShard(*c.hint);
  const absl::StatusOr<Decision> decision = router.Decide(*part.statement, values, hints);
  std::string result;
  if (decision.ok()) {
    result = std::string(RouteName(decision->route)) + ShardNames(router.map(), decision->shards);
    for (const MovingRange& at : router.map().moving()) {
      const KeyRange& range = router.map().range(at);
      if ((decision->shards.moving() & range.moving) != 0)
        result += " (moving: " + range.name + ")";
    }
  } else {
    const SqlError error = ToSqlError(decision.status());
    result = error.sqlstate + " " + error.message;
    EXPECT_FALSE(error.hint.empty()) << text;
  }
  if (decision.ok() && decision->route == Route::kSplit) {
    const auto inserts = router.SplitInsert(*part.statement, values);
    if (!inserts.ok()) return result + " " + ToSqlError(inserts.status()).message;
    for (const ShardInsert& insert : *inserts) {
      result += " | " + router.map().shard(insert.shard).name + ": " + insert.text;
      for (const uint16_t parameter : insert.parameters)
        result += " $" + std::to_string(parameter + 1);
    }
  }
  if (decision.ok() && decision->route == Route::kMove) {
    const auto move = router.FindKeyMove(*part.statement, values);
    if (!move.ok()) {
      const SqlError error = ToSqlError(move.status());
      return fmt::format("{} | {} {}", result, error.sqlstate, error.message);
    }
  }
  const ShardSet strays = router.map().ShardsWithStrays();
  if (decision.ok() && decision->LeavesOutStrays()) {
    (strays & decision->shards).ForEach([&](ShardIndex shard) {
      const auto owned = router.OwnedText(text, c.context, {}, shard);
      result += " | " + router.map().shard(shard).name + ": " +
                (owned.ok() ? *owned : ToSqlError(owned.status()).message);
    });
  }
  EXPECT_FALSE(router.Explain(*part.statement, values, hints).empty());
  EXPECT_FALSE(router.Candidates(*part.statement, hints).empty());
  if (c.session) result += SessionText(*part.statement, c.text);
  std::replace(result.begin(), result.end(), '\n', ' ');
  if (IsUtf8(c.context.encoding)) return result;
  std::string utf8;
  return std::string(*ToUtf8(ClientEncoding::kLatin1, result, &utf8));
}

std::string Answer(Router* router, const Case& c) {
  std::vector<Oid> types;
  for (const auto& [index, bound] : c.bound) {
    types.resize(std::max(types.size(), index + 1));
    types[index] = bound.type;
  }
  Analysis analysis;
  router->Analyze(c.text, c.context, types, &analysis);
  std::string answer;
  for (const Analysis::Part& part : analysis.parts) {
    answer += "-> " + PartText(*router, c, analysis, part) + "\n";
  }
  if (analysis.parts.empty()) answer = "-> empty\n";
  // A second time, from the cache.
  Analysis again;
  router->Analyze(c.text, c.context, types, &again);
  std::string cached;
  for (const Analysis::Part& part : again.parts) {
    cached += "-> " + PartText(*router, c, again, part) + "\n";
  }
  if (again.parts.empty()) cached = "-> empty\n";
  EXPECT_EQ(answer, cached) << c.text;
  return answer;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, RoutesAreAsWritten) {
  const fs::path path = fs::path(kFolder) / (GetParam() + ".txt");
  const std::string file = ReadFile(path);
  const size_t cut = file.find("\n---\n");
  ASSERT_NE(cut, std::string::npos);
  std::string header;
  std::istringstream header_lines(file.substr(0, cut));
  for (std::string line; std::getline(header_lines, line);) {
    if (!line.starts_with("#")) header += line + "\n";
  }
  const World world(header);
  Router router{RouterLimits()};
  router.Publish(world.map, world.schema);
  const bool update = std::getenv("MERIDIAN_UPDATE_GOLDEN") != nullptr;
  std::string updated = file.substr(0, cut) + "\n---\n";
  std::string block;
  std::istringstream lines(file.substr(cut + 5) + "\n\n");
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) {
      block += line + "\n";
      continue;
    }
    if (block.empty()) continue;
    const Case c = ReadCase(block);
    block.clear();
    if (c.text.empty()) {
      updated += "\n" + c.head;
      continue;
    }
    const std::string answer = Answer(&router, c);
    updated += "\n" + c.head + answer;
    if (!update) {
      EXPECT_EQ(answer, c.expected) << c.text;
    }
  }
  if (update) std::ofstream(path) << updated;
}

std::vector<std::string> GoldenFiles() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, testing::ValuesIn(GoldenFiles()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace meridian
