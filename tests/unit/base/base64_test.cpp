#include "voxgate/base/base64.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace voxgate {
namespace {

std::string enc(std::string_view s) {
  std::string out(base64::encoded_size(s.size()), '\0');
  out.resize(base64::encode({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}, out.data()));
  return out;
}

std::optional<std::string> dec(std::string_view s) {
  std::string out(base64::max_decoded_size(s.size()), '\0');
  const auto n = base64::decode(s, reinterpret_cast<std::uint8_t*>(out.data()));
  if (!n) return std::nullopt;
  out.resize(*n);
  return out;
}

TEST(Base64, MatchesTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    EXPECT_EQ(enc(plain), coded);
    EXPECT_EQ(dec(coded), plain);
  }
}

TEST(Base64, RoundTripsEveryLength) {
  std::mt19937 random(1);
  for (std::size_t n = 0; n < 400; ++n) {
    std::string bytes(n, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_EQ(dec(enc(bytes)), bytes) << n;
  }
}

TEST(Base64, AcceptsMissingPadding) {
  EXPECT_EQ(dec("Zg"), "f");
  EXPECT_EQ(dec("Zm8"), "fo");
}

TEST(Base64, RefusesWhatIsNotBase64) {
  for (const char* bad : {"Z", "Zm9vY", "Zm=v", "Z===", "Zm9v!mFy", "Zm9v\nYmFy", "====", "Zg==Zg==", "Zm9-"}) {
    EXPECT_EQ(dec(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace voxgate
