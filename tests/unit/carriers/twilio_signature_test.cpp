// Vectors of telephony.md section 1.2; conformance row 1.
#include "voxgate/carriers/twilio_signature.hpp"

#include <gtest/gtest.h>

#include "voxgate/carriers/twiml.hpp"

namespace voxgate::carriers {
namespace {

const std::vector<std::string> kTokens{"12345678901234567890123456789012"};
constexpr const char* kMedia = "wss://voice.example.com/twilio/media";

TEST(TwilioSignature, MatchesTheVectors) {
  EXPECT_EQ(twilio_signature(kTokens[0], kMedia, {}), "fhjjjkV1F9lPmcYCG6YdDwerOY0=");
  EXPECT_EQ(twilio_signature(kTokens[0], "wss://voice.example.com/twilio/media/", {}), "V2QGJ6ZI1zkdxy6SGUcrhLy5x1s=");
  EXPECT_EQ(twilio_signature(kTokens[0], "wss://voice.example.com:443/twilio/media", {}),
            "kXobrCa1GQM4v+WE6N4nBOaQ2n0=");
  EXPECT_EQ(twilio_signature(kTokens[0], "https://voice.example.com/twilio/media", {}), "optsbm+WFjCGi1P9M3zlDrGUSlI=");
  const auto form =
      parse_form("CallSid=CA00000000000000000000000000000001&Digits=&From=%2B15005550006&To=%2B15005550001");
  ASSERT_TRUE(form);
  EXPECT_EQ(twilio_signature(kTokens[0], "https://voice.example.com/twilio/voice?tenant=7", *form),
            "vXby+57tTIW/2jmSWNxNLZ/N/vo=");
}

TEST(TwilioSignature, AcceptsTheUrlWithAndWithoutItsPort) {
  EXPECT_TRUE(verify_twilio_signature(kTokens, kMedia, {}, "fhjjjkV1F9lPmcYCG6YdDwerOY0="));
  EXPECT_TRUE(verify_twilio_signature(kTokens, kMedia, {}, "kXobrCa1GQM4v+WE6N4nBOaQ2n0="));
  EXPECT_TRUE(
      verify_twilio_signature(kTokens, "wss://voice.example.com:443/twilio/media", {}, "fhjjjkV1F9lPmcYCG6YdDwerOY0="));
}

TEST(TwilioSignature, RefusesOtherPathSchemePortTokenAndCutSignatures) {
  EXPECT_FALSE(verify_twilio_signature(kTokens, kMedia, {}, "V2QGJ6ZI1zkdxy6SGUcrhLy5x1s="));
  EXPECT_FALSE(verify_twilio_signature(kTokens, kMedia, {}, "optsbm+WFjCGi1P9M3zlDrGUSlI="));
  EXPECT_FALSE(verify_twilio_signature(kTokens, "wss://voice.example.com:8443/twilio/media", {},
                                       "kXobrCa1GQM4v+WE6N4nBOaQ2n0="));
  EXPECT_FALSE(verify_twilio_signature({"wrong"}, kMedia, {}, "fhjjjkV1F9lPmcYCG6YdDwerOY0="));
  EXPECT_FALSE(verify_twilio_signature(kTokens, kMedia, {}, "fhjjjkV1F9lPmcYCG6YdDwerOY0"));
  EXPECT_FALSE(verify_twilio_signature(kTokens, kMedia, {}, "fhjjjkV1F9lPmcYCG6YdDwerOY0=="));
  EXPECT_FALSE(verify_twilio_signature(kTokens, kMedia, {}, ""));
  EXPECT_FALSE(verify_twilio_signature({""}, kMedia, {}, twilio_signature("", kMedia, {}))) << "an empty token";
  EXPECT_FALSE(verify_twilio_signature({}, kMedia, {}, "fhjjjkV1F9lPmcYCG6YdDwerOY0="));
}

TEST(TwilioSignature, AcceptsBothTokensDuringARotation) {
  EXPECT_TRUE(verify_twilio_signature({"new-token", kTokens[0]}, kMedia, {}, "fhjjjkV1F9lPmcYCG6YdDwerOY0="));
}

TEST(TwilioSignature, DeduplicatesAndSortsRepeatedKeys) {
  const Params once{{"a", "1"}, {"a", "2"}};
  const Params twice{{"a", "2"}, {"a", "1"}, {"a", "2"}};
  EXPECT_EQ(twilio_signature("t", "https://x/", once), twilio_signature("t", "https://x/", twice));
}

TEST(TwilioSignature, ChecksTheBodyHashOfJsonWebhooks) {
  EXPECT_TRUE(verify_body_sha256("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "{}"));
  EXPECT_FALSE(verify_body_sha256("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "{} "));
}

TEST(Twiml, EscapesWhatItIsGiven) {
  ConnectStream c;
  c.stream_url = "wss://voice.example.com/v1/realtime/CA1";
  c.params = {{"agent", "a\"<&'"}};
  EXPECT_EQ(connect_stream_twiml(c),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Connect><Stream "
            "url=\"wss://voice.example.com/v1/realtime/CA1\"><Parameter name=\"agent\" "
            "value=\"a&quot;&lt;&amp;&apos;\"/></Stream></Connect></Response>\n");
}

TEST(Form, RefusesBrokenEscapes) {
  EXPECT_EQ(parse_form("a=%zz"), std::nullopt);
  EXPECT_EQ(parse_form("a=%4"), std::nullopt);
  const auto form = parse_form("a=x+y&b&c=");
  ASSERT_TRUE(form);
  EXPECT_EQ(*form, (Params{{"a", "x y"}, {"b", ""}, {"c", ""}}));
}

}  // namespace
}  // namespace voxgate::carriers
