// Writing messages, reading their fields, and the limits of their lengths.
#include "proxy/wire/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/wire/error_response.h"
#include "proxy/wire/frontend_messages.h"
#include "proxy/wire/message_writer.h"

namespace meridian::wire {
namespace {

using std::string_literals::operator""s;
using testing::ElementsAre;
using testing::Optional;

std::string ErrorOf(const absl::Status& status) {
  return status.ok() ? "none" : meridian::ToSqlError(status).sqlstate;
}

TEST(MessageWriter, WritesWhatPostgresWrites) {
  std::string out;
  AppendReadyForQuery(out, kIdle);
  EXPECT_EQ(out, "Z\0\0\0\5I"s);
  out.clear();
  AppendCommandComplete(out, "SELECT 1");
  EXPECT_EQ(out, "C\0\0\0\x0dSELECT 1\0"s);
  out.clear();
  AppendBackendKeyData(out, 0x01020304, "abcd");
  EXPECT_EQ(out, "K\0\0\0\x0c\1\2\3\4abcd"s);
  out.clear();
  AppendTextRowDescription(out, {"a"});
  EXPECT_EQ(out, "T\0\0\0\x1a\0\1a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"s);
  out.clear();
  AppendTextDataRow(out, {"ab", ""});
  EXPECT_EQ(out, "D\0\0\0\x10\0\2\0\0\0\2ab\0\0\0\0"s);
  out.clear();
  AppendEmptyMessage(out, kNoData);
  AppendSync(out);
  AppendClose(out, 'S', "s1");
  EXPECT_EQ(out, "n\0\0\0\4S\0\0\0\4C\0\0\0\x08Ss1\0"s);
}

TEST(MessageWriter, ErrorsAreReadBack) {
  const SqlError error{"42601", "no", "detail", "hint", 7};
  std::string out;
  AppendError(out, Severity::kFatal, error);
  EXPECT_EQ(out[0], kErrorResponse);
  const ErrorFields fields = ParseErrorFields(std::string_view(out).substr(kHeaderBytes));
  EXPECT_EQ(fields.severity, "FATAL");
  EXPECT_TRUE(fields.IsFatal());
  EXPECT_EQ(fields.sqlstate, "42601");
  EXPECT_EQ(fields.message, "no");
  EXPECT_EQ(fields.detail, "detail");
  EXPECT_EQ(fields.hint, "hint");
  EXPECT_NE(out.find("P7\0"s), std::string::npos);
  out.clear();
  AppendError(out, Severity::kWarning, error);
  EXPECT_EQ(out[0], kNoticeResponse);
}

TEST(ErrorResponse, EveryFieldIsOptional) {
  EXPECT_EQ(ToSqlError(ParseErrorFields("")).sqlstate, "XX000");
  EXPECT_EQ(ToSqlError(ParseErrorFields("\0"s)).sqlstate, "XX000");
  EXPECT_EQ(ToSqlError(ParseErrorFields("C42\0\0"s)).sqlstate, "XX000");
  // Unknown ones are skipped, an unfinished one ends it.
  const std::string body = "SFEHLER\0Zx\0C57P01\0Mhal"s;
  const ErrorFields fields = ParseErrorFields(body);
  EXPECT_EQ(fields.severity, "FEHLER");
  EXPECT_EQ(fields.sqlstate, "57P01");
  EXPECT_EQ(fields.message, "");
  // The untranslated severity counts, in whatever order they come.
  for (const std::string& severities : {"VFATAL\0SFATALE\0\0"s, "SFATALE\0VFATAL\0\0"s}) {
    EXPECT_EQ(ParseErrorFields(severities).severity, "FATAL");
  }
}

TEST(FrontendMessages, Parse) {
  std::string out;
  AppendParse(out, "s1", "SELECT $1", "\0\0\0\x17"s);
  const std::string body = out.substr(kHeaderBytes);
  const auto view = ParseParse(body);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->name, "s1");
  EXPECT_EQ(view->text, "SELECT $1");
  EXPECT_EQ(view->parameter_type_count(), 1u);
  EXPECT_EQ(view->parameter_types, "\0\0\0\x17"s);
  for (size_t size = 0; size < body.size(); ++size) {
    EXPECT_EQ(ErrorOf(ParseParse(std::string_view(body).substr(0, size)).status()), "08P01");
  }
  EXPECT_EQ(ErrorOf(ParseParse(body + "x").status()), "08P01");
  EXPECT_EQ(ErrorOf(ParseParse("s\0t\0\xff\xff"s).status()), "08P01");
}

TEST(FrontendMessages, Bind) {
  const std::string rest = "\0\2\0\0\0\1"s + "\0\2\0\0\0\2ab\xff\xff\xff\xff"s + "\0\1\0\1"s;
  const std::string body = "p\0s\0"s + rest;
  BindView view;
  view.values.emplace_back("old");
  ASSERT_TRUE(ParseBind(body, &view).ok());
  EXPECT_EQ(view.portal, "p");
  EXPECT_EQ(view.statement, "s");
  EXPECT_EQ(view.after_names, rest);
  EXPECT_THAT(view.values, ElementsAre(Optional(std::string_view("ab")), std::nullopt));
  EXPECT_FALSE(view.IsBinary(0));
  EXPECT_TRUE(view.IsBinary(1));
  EXPECT_EQ(view.result_formats, "\0\1\0\1"s);
  for (size_t size = 0; size < body.size(); ++size) {
    EXPECT_EQ(ErrorOf(ParseBind(std::string_view(body).substr(0, size), &view)), "08P01") << size;
  }
  EXPECT_EQ(ErrorOf(ParseBind(body + "x", &view)), "08P01");
}

TEST(FrontendMessages, BindFormats) {
  BindView view;
  ASSERT_TRUE(ParseBind("\0\0\0\0\0\1\0\0\0\0\0\0"s, &view).ok());
  EXPECT_FALSE(view.IsBinary(0));
  ASSERT_TRUE(ParseBind("\0\0\0\1\0\1\0\2\0\0\0\0\0\0\0\0\0\0"s, &view).ok());
  EXPECT_TRUE(view.IsBinary(0));
  EXPECT_TRUE(view.IsBinary(1));
  // Two formats for one value.
  EXPECT_EQ(ErrorOf(ParseBind("\0\0\0\2\0\0\0\0\0\1\0\0\0\0\0\0"s, &view)), "08P01");
  // More values than there are bytes, and a value that is longer than the message.
  EXPECT_EQ(ErrorOf(ParseBind("\0\0\0\0\xff\xff\0\0\0\0"s, &view)), "08P01");
  EXPECT_EQ(ErrorOf(ParseBind("\0\0\0\0\0\1\x7f\xff\xff\xff\0\0"s, &view)), "08P01");
}

TEST(FrontendMessages, BindTakesAsManyParametersAsTheCountCanSay) {
  std::string body = "\0\0\0\0\xff\xff"s;
  for (int i = 0; i < 65535; ++i) body += "\0\0\0\1x"s;
  body += "\0\0"s;
  BindView view;
  ASSERT_TRUE(ParseBind(body, &view).ok());
  EXPECT_EQ(view.values.size(), 65535u);
}

TEST(FrontendMessages, DescribeAndExecute) {
  EXPECT_EQ(ParseDescribe("Ss1\0"s)->name, "s1");
  EXPECT_EQ(ParseDescribe("P\0"s)->kind, 'P');
  for (const std::string& body : {""s, "S"s, "Ss1"s, "X\0"s, "S\0x"s}) {
    EXPECT_EQ(ErrorOf(ParseDescribe(body).status()), "08P01");
  }
  EXPECT_EQ(ParseExecute("p\0\0\0\1\0"s)->max_rows, 256u);
  for (const std::string& body : {""s, "p"s, "p\0"s, "p\0\0\0\0"s, "p\0\0\0\0\0x"s}) {
    EXPECT_EQ(ErrorOf(ParseExecute(body).status()), "08P01");
  }
}

TEST(CheckClientMessage, LimitsArePostgres) {
  for (const char type : {'Q', 'P', 'B', 'F', 'd'}) {
    EXPECT_EQ(CheckClientMessage(type, 4), LengthCheck::kOk) << type;
    EXPECT_EQ(CheckClientMessage(type, 0x3fffffff - 1), LengthCheck::kOk) << type;
    EXPECT_EQ(CheckClientMessage(type, 0x3fffffff), LengthCheck::kBadLength) << type;
  }
  for (const char type : {'X', 'C', 'D', 'E', 'H', 'S', 'c', 'f'}) {
    EXPECT_EQ(CheckClientMessage(type, 10000), LengthCheck::kOk) << type;
    EXPECT_EQ(CheckClientMessage(type, 10001), LengthCheck::kBadLength) << type;
  }
  EXPECT_EQ(CheckClientMessage('p', 65535), LengthCheck::kOk);
  EXPECT_EQ(CheckClientMessage('p', 65536), LengthCheck::kBadLength);
  for (const uint32_t length : {0u, 3u, 0x80000000u, 0xffffffffu}) {
    EXPECT_EQ(CheckClientMessage('Q', length), LengthCheck::kBadLength);
  }
  EXPECT_EQ(CheckClientMessage('m', 4), LengthCheck::kUnknownType);
  EXPECT_EQ(CheckClientMessage('\0', 4), LengthCheck::kUnknownType);
}

}  // namespace
}  // namespace meridian::wire
