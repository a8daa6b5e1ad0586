// What the shards load is what one PostgreSQL would load: random files, with odd values and damage,
// are loaded as they are and by the pieces of CopySplitter, and the rows compared.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "router/copy/copy_splitter.h"
#include "tests/router/copy/copy_testing.h"
#include "tests/support/pg_cluster.h"

namespace meridian {
namespace {

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  size_t Below(size_t end) { return random_() % end; }
  bool OneIn(size_t n) { return Below(n) == 0; }
  std::string Pick(const std::vector<std::string>& from) { return from[Below(from.size())]; }

 private:
  std::mt19937_64 random_;
};

// One COPY: its options as SQL and as a spec, and a file for it.
struct Case {
  CopySpec spec;
  std::string columns;  // a permutation of k, v, n
  std::string options;
  std::string data;
};

std::string Quote(std::string_view text) { return QuoteLiteral(text); }

class CaseMaker {
 public:
  CaseMaker(Generator* random, bool text_key) : random_(random), text_key_(text_key) {}

  Case Make() {
    Case made;
    MakeOptions(&made);
    const std::string newline = random_->Pick({"\n", "\n", "\n", "\r\n", "\r"});
    if (made.spec.header) made.data += "\"x\"" + newline;
    if (made.spec.format == CopyFormat::kBinary) made.data += BinaryHeader();
    for (size_t rows = random_->Below(8); rows > 0; --rows) made.data += Row(made.spec) + newline;
    Finish(&made, newline);
    return made;
  }

 private:
  void MakeOptions(Case* made) {
    CopySpec& spec = made->spec;
    spec.field_count = 3;
    const size_t key = random_->Below(3);
    spec.key_fields = {key};
    made->columns = std::vector<std::string>{"k, v, n", "v, k, n", "v, n, k"}[key];
    number_field_ = key == 2 ? 1 : 2;
    switch (random_->Below(3)) {
      case 0:
        spec.format = CopyFormat::kText;
        made->options = "format text";
        if (random_->OneIn(3)) spec.delimiter = random_->Pick({"|", ",", ";", " "})[0];
        if (random_->OneIn(3)) spec.null_text = random_->Pick({"", "null", "\\x", "\\\\N", "7"});
        break;
      case 1:
        spec.format = CopyFormat::kCsv;
        made->options = "format csv";
        MakeCsvOptions(made);
        break;
      default:
        spec.format = CopyFormat::kBinary;
        made->options = "format binary";
        return;
    }
    spec.header = random_->OneIn(5);
    made->options +=
        fmt::format(", delimiter {}, null {}", Quote({&spec.delimiter, 1}), Quote(spec.null_text));
    if (spec.header) made->options += ", header";
  }

  void MakeCsvOptions(Case* made) {
    CopySpec& spec = made->spec;
    spec.delimiter = random_->Pick({",", ",", ";", "\t", "\\"})[0];
    spec.null_text = random_->Pick({"", "", "null", "\\N", "7"});
    if (spec.delimiter == '\\' && spec.null_text == "\\N") spec.null_text = "";
    if (random_->OneIn(3)) spec.quote = random_->Pick({"'", "|", "\\"})[0];
    if (spec.quote == spec.delimiter || (spec.quote == '\\' && spec.null_text == "\\N")) {
      spec.quote = '"';
    }
    spec.escape = random_->OneIn(2) ? spec.quote : random_->Pick({"\\", "!", "x"})[0];
    made->options +=
        fmt::format(", quote {}, escape {}", Quote({&spec.quote, 1}), Quote({&spec.escape, 1}));
    spec.force_null = {random_->OneIn(3)};
    spec.force_not_null = {random_->OneIn(3)};
    if (spec.force_null[0]) made->options += ", force_null (k)";
    if (spec.force_not_null[0]) made->options += ", force_not_null (k)";
  }

  // A file's end, and damage to one in three.
  void Finish(Case* made, const std::string& newline) {
    std::string& data = made->data;
    const bool binary = made->spec.format == CopyFormat::kBinary;
    if (!binary && random_->OneIn(4)) {
      data += random_->Pick({"\\.", "\\.\n", "\\." + newline, "\\.x\n", "\\.\r"});
    }
    if (!binary && random_->OneIn(4)) data += Row(made->spec);
    if (binary && !random_->OneIn(4)) data += "\xff\xff";
    if (!random_->OneIn(3) || data.empty()) return;
    const size_t at = random_->Below(data.size());
    switch (random_->Below(4)) {
      case 0:
        data.resize(at);
        break;
      case 1:
        data.erase(at, 1 + random_->Below(3));
        break;
      case 2:
        data.insert(at, random_->Pick({"\n", "\r", "\\", "\\.", "\"", "'", "x", ",", "\t",
                                       std::string(1, '\0'), "\xff", "\\.\n", "\n\\.\n"}));
        break;
      default:
        data[at] = static_cast<char>(random_->Below(256));
    }
  }

  std::string BinaryHeader() {
    const std::string extension = random_->OneIn(4) ? "extension" : "";
    return std::string("PGCOPY\n\377\r\n\0", 11) + Int(0, 4) + Int(extension.size(), 4) + extension;
  }

  static std::string Int(int64_t value, int bytes) {
    std::string out;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
      out.push_back(static_cast<char>(value >> shift));
    }
    return out;
  }

  static std::string Counted(const std::string& bytes) { return Int(bytes.size(), 4) + bytes; }

  std::string Row(const CopySpec& spec) {
    if (spec.format == CopyFormat::kBinary) return BinaryRow(spec);
    std::string row;
    const size_t fields = random_->OneIn(30) ? random_->Below(5) : 3;
    for (size_t i = 0; i < fields; ++i) {
      if (i > 0) row += spec.delimiter;
      row += Field(spec, i);
    }
    return row;
  }

  std::string BinaryRow(const CopySpec& spec) {
    std::string row = Int(random_->OneIn(50) ? 2 : 3, 2);
    for (size_t i = 0; i < 3; ++i) {
      if (random_->OneIn(20)) {
        row += Int(-1, 4);
      } else if (i == number_field_) {
        row += Counted(Int(random_->Below(100), 4));
      } else if (i == spec.key_fields[0] && !text_key_) {
        row += Counted(Int(static_cast<int64_t>(random_->Below(400)) - 50, 8));
      } else {
        row += Counted(random_->Pick({"", "a", "mn", "z\n", "\xc3\xa4", "\\N", "PGCOPY"}));
      }
    }
    return row;
  }

  std::string Field(const CopySpec& spec, size_t field) {
    if (random_->OneIn(15)) return spec.null_text;
    const bool number = field == number_field_ || (field == spec.key_fields[0] && !text_key_);
    if (spec.format == CopyFormat::kText) return number ? TextNumber() : TextValue(spec);
    return number ? CsvNumber(spec) : CsvValue(spec);
  }

  std::string Number() {
    return random_->Pick({"", "", "", " ", "+", "-"}) + std::to_string(random_->Below(400)) +
           random_->Pick({"", "", "", " "});
  }

  std::string TextNumber() {
    std::string number = Number();
    if (random_->OneIn(8)) {
      const size_t at = random_->Below(number.size());
      const unsigned char c = number[at];
      number.replace(at, 1,
                     random_->OneIn(2) ? fmt::format("\\x{:02x}", c) : fmt::format("\\{:03o}", c));
    }
    return number;
  }

  std::string TextValue(const CopySpec& spec) {
    const std::vector<std::string> parts = {
        "a",     "m",     "z",   " ",    "\xc3\xa4", "7",   "\\\\",
        "\\n",   "\\t",   "\\.", "\\\n", "\\\r",     "\\N", "\\x41",
        "\\101", "\\x6g", "\\q", "\"",   "'",        "\\1", std::string("\\") + spec.delimiter};
    std::string value;
    for (size_t count = random_->Below(6); count > 0; --count) {
      const std::string part = random_->Pick(parts);
      if ((part == "\\." || part == "\\\r") && !random_->OneIn(10)) continue;
      value += part;
    }
    return value;
  }

  std::string CsvNumber(const CopySpec& spec) {
    std::string number = Number();
    const std::string quote(1, spec.quote);
    if (random_->OneIn(4)) return quote + number + quote;
    if (random_->OneIn(8)) return number.insert(random_->Below(number.size()), quote + quote);
    return number;
  }

  std::string CsvValue(const CopySpec& spec) {
    const std::string quote(1, spec.quote);
    const std::string escape(1, spec.escape);
    const std::vector<std::string> plain = {"a", "m", "z", " ", "\xc3\xa4", "7", "\\", "\\.", "x"};
    const std::vector<std::string> in_quotes = {"\n",
                                                "\r",
                                                "\r\n",
                                                "\\.\n",
                                                "\n\\.\n",
                                                std::string(1, spec.delimiter),
                                                escape + quote,
                                                escape + escape,
                                                "b"};
    std::string value;
    for (size_t count = random_->Below(4); count > 0; --count) {
      if (random_->OneIn(2)) {
        value += random_->Pick(plain);
      } else {
        value += quote + random_->Pick(plain) + random_->Pick(in_quotes) +
                 random_->Pick(in_quotes) + quote;
      }
    }
    return value;
  }

  Generator* const random_;
  const bool text_key_;
  size_t number_field_ = 2;
};

std::string Printable(std::string_view data) {
  std::string out;
  for (const char c : data) {
    if (c >= ' ' && c < 0x7f && c != '\\') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", c & 0xff);
    }
  }
  return out;
}

struct Outcome {
  int loaded = 0;
  int refused = 0;
};

class CopyTest : public testing::Test {
 protected:
  void MakeTables(const std::string& key_type, const std::vector<std::string>& bounds) {
    for (const std::string table : {"whole", "s0", "s1", "s2"}) {
      connection_.Query(
          fmt::format("create unlogged table {} (k {}, v text, n int)", table, key_type));
    }
    // Each shard's table takes its own keys only.
    connection_.Query(fmt::format("alter table s0 add check (k < {})", bounds[0]));
    connection_.Query(
        fmt::format("alter table s1 add check (k >= {} and k < {})", bounds[0], bounds[1]));
    connection_.Query(fmt::format("alter table s2 add check (k >= {})", bounds[1]));
  }

  absl::Status Copy(const std::string& table, const Case& made, std::string_view data) {
    return connection_
        .CopyIn(fmt::format("copy {} ({}) from stdin with ({})", table, made.columns, made.options),
                data)
        .status();
  }

  absl::Status CopyParts(const Case& made, const SplitResult& split) {
    if (split.by_shard.empty()) return Copy("s0", made, split.header + split.trailer);
    for (const auto& [shard, bytes] : split.by_shard) {
      absl::Status status =
          Copy(fmt::format("s{}", shard), made, split.header + bytes + split.trailer);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  void ExpectSameRows() {
    const std::string difference = connection_.Value(
        "with parts as (table s0 union all table s1 union all table s2), "
        "lost as (table whole except all table parts), added as (table parts except all table "
        "whole) "
        "select concat((select string_agg(l::text, ' ') from lost l), ' / ', "
        "(select string_agg(a::text, ' ') from added a))");
    EXPECT_EQ(difference, " / ");
  }

  // False: PostgreSQL refuses the file.
  bool Check(const Case& made, const std::shared_ptr<const ShardMap>& map, size_t chunk_bytes) {
    SCOPED_TRACE(made.columns + " | " + made.options + " | " + Printable(made.data));
    const SplitResult split = SplitCopy(made.spec, map, made.data, chunk_bytes);
    connection_.Query("begin");
    const absl::Status whole = Copy("whole", made, made.data);
    if (!whole.ok()) connection_.Query("rollback; begin");
    const absl::Status parts = split.status.ok() ? CopyParts(made, split) : split.status;
    if (whole.ok() && parts.ok()) {
      ExpectSameRows();
    } else if (whole.ok()) {
      const std::string sqlstate = ToSqlError(parts).sqlstate;
      EXPECT_TRUE(!split.status.ok() && (sqlstate == "23502" || sqlstate == "0A000")) << parts;
    } else {
      EXPECT_FALSE(parts.ok()) << "PostgreSQL says: " << whole;
    }
    connection_.Query("rollback");
    return whole.ok();
  }

  Outcome Run(const std::shared_ptr<const ShardMap>& map, bool text_key, uint64_t seed) {
    constexpr int kCases = 4000;
    Outcome outcome;
    Generator random(seed);
    CaseMaker maker(&random, text_key);
    for (int i = 0; i < kCases && !HasFailure(); ++i) {
      const Case made = maker.Make();
      ++(Check(made, map, random.Below(20)) ? outcome.loaded : outcome.refused);
    }
    return outcome;
  }

  PgCluster cluster_;
  Connection connection_ = cluster_.Connect();
};

TEST_F(CopyTest, LoadsWhatPostgresqlLoadsByBigint) {
  MakeTables("bigint", {"100", "200"});
  const Outcome outcome = Run(BigintMap(), false, 1);
  EXPECT_GT(outcome.loaded, 1000);
  EXPECT_GT(outcome.refused, 400);
}

TEST_F(CopyTest, LoadsWhatPostgresqlLoadsByText) {
  MakeTables("text collate \"C\"", {"'a'", "'n'"});
  const auto map = MapOf({{KeyType::kText, false}}, {KeyTuple{KeyValue(std::string("a"))},
                                                     KeyTuple{KeyValue(std::string("n"))}});
  const Outcome outcome = Run(map, true, 2);
  EXPECT_GT(outcome.loaded, 1000);
  EXPECT_GT(outcome.refused, 400);
}

}  // namespace
}  // namespace meridian
