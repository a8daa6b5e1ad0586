#include "sharding/client_encoding.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

TEST(ClientEncodingByName, ReadsNamesAsPostgresDoes) {
  EXPECT_EQ(ClientEncodingByName("UTF8"), ClientEncoding::kUtf8);
  EXPECT_EQ(ClientEncodingByName("utf-8"), ClientEncoding::kUtf8);
  EXPECT_EQ(ClientEncodingByName("Unicode"), ClientEncoding::kUtf8);
  EXPECT_EQ(ClientEncodingByName("SQL_ASCII"), ClientEncoding::kSqlAscii);
  EXPECT_EQ(ClientEncodingByName("ISO-8859-1"), ClientEncoding::kLatin1);
  EXPECT_EQ(ClientEncodingByName(" latin_1 "), ClientEncoding::kLatin1);
  EXPECT_EQ(ClientEncodingByName("iso_8859_15"), ClientEncoding::kLatin9);
  EXPECT_EQ(ClientEncodingByName("WIN"), ClientEncoding::kWin1251);
  EXPECT_EQ(ClientEncodingByName("KOI8"), ClientEncoding::kKoi8R);
  EXPECT_EQ(ClientEncodingByName("mskanji"), ClientEncoding::kSjis);
  EXPECT_EQ(ClientEncodingByName("Windows-936"), ClientEncoding::kGbk);
}

TEST(ClientEncodingByName, LeavesOthersToTheServer) {
  for (const char* name : {"", "-", "nope", "latin", "latin11", "utf16", "zzz"}) {
    EXPECT_EQ(ClientEncodingByName(name), std::nullopt) << name;
  }
}

TEST(ClientEncoding, ThoseThatHideAsciiBytesAreKnown) {
  for (const char* name : {"SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004"}) {
    EXPECT_TRUE(EmbedsAscii(ClientEncodingByName(name).value())) << name;
  }
  for (const char* name : {"UTF8", "SQL_ASCII", "LATIN1", "LATIN10", "KOI8U", "ISO_8859_8",
                           "EUC_CN", "EUC_JIS_2004", "EUC_TW", "MULE_INTERNAL"}) {
    EXPECT_FALSE(EmbedsAscii(ClientEncodingByName(name).value())) << name;
  }
}

TEST(ToUtf8, ConvertsWhatItCan) {
  std::string scratch;
  EXPECT_EQ(ToUtf8(ClientEncoding::kUtf8, "\xc3\xa9", &scratch), "\xc3\xa9");
  EXPECT_EQ(ToUtf8(ClientEncoding::kSqlAscii, "\xe9", &scratch), "\xe9");
  EXPECT_EQ(ToUtf8(ClientEncoding::kLatin1, "caf\xe9", &scratch), "caf\xc3\xa9");
  EXPECT_EQ(ToUtf8(ClientEncoding::kLatin1, "\x80\xbf\xc0\xff", &scratch),
            "\xc2\x80\xc2\xbf\xc3\x80\xc3\xbf");
  EXPECT_EQ(ToUtf8(ClientEncoding::kLatin2, "cafe", &scratch), "cafe");
  EXPECT_EQ(ToUtf8(ClientEncoding::kLatin2, "caf\xe9", &scratch), std::nullopt);
  EXPECT_EQ(ToUtf8(ClientEncoding::kSjis, "a", &scratch), std::nullopt);
}

}  // namespace
}  // namespace meridian
