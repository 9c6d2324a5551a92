#include "voxgate/base/text.hpp"

#include <gtest/gtest.h>

namespace voxgate::text {
namespace {

TEST(Text, PercentEncodingKeepsUnreservedCharactersAndOnlyThose) {
  EXPECT_EQ(percent_encode("CA0001-._~xyzXYZ"), "CA0001-._~xyzXYZ");
  EXPECT_EQ(percent_encode("a/b?c#d e+f%"), "a%2Fb%3Fc%23d%20e%2Bf%25");
  EXPECT_EQ(percent_encode("\xC3\xA4\"<\n"), "%C3%A4%22%3C%0A");
  EXPECT_EQ(percent_encode(""), "");
}

TEST(Text, WhatIsEncodedDecodesToItself) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all), false), all);
  EXPECT_EQ(percent_decode(percent_encode(all), true), all);
}

TEST(Text, BrokenEscapesDoNotDecode) {
  for (const char* broken : {"%", "%4", "%zz", "a%", "a%4", "%%41"}) {
    EXPECT_EQ(percent_decode(broken, false), std::nullopt) << broken;
  }
  EXPECT_EQ(percent_decode("a+b%41", true), "a bA");
  EXPECT_EQ(percent_decode("a+b%41", false), "a+bA");
}

}  // namespace
}  // namespace voxgate::text
