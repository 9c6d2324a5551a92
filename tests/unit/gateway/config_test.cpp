#include "voxgate/gateway/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace voxgate::gateway {
namespace {

using ::testing::HasSubstr;

const char kGood[] = R"({
  // comments are welcome
  "listen": {"public": "127.0.0.1:0"},
  "auth": {"mode": "none"}
})";

settings::Problem only_problem(const std::string& text, const std::vector<std::string>& sets = {}) {
  const LoadedConfig loaded = load_config_text(text, sets);
  EXPECT_EQ(loaded.problems.size(), 1u);
  return loaded.problems.empty() ? settings::Problem{} : loaded.problems[0];
}

TEST(Config, ReadsCommentsDefaultsAndSets) {
  const LoadedConfig loaded = load_config_text(kGood, {"limits.max_calls=5", "log.level=debug"});
  ASSERT_TRUE(loaded.problems.empty()) << loaded.problems[0].path << loaded.problems[0].message;
  EXPECT_EQ(loaded.config.listen.public_door, "127.0.0.1:0");
  EXPECT_EQ(loaded.config.limits.max_calls, 5);
  EXPECT_EQ(loaded.config.log.level, "debug");
  EXPECT_EQ(loaded.config.listen.metrics, "127.0.0.1:9464");
}

TEST(Config, NamesPathLineAndNearestKeyOfAnUnknownKey) {
  const auto p = only_problem("{\n\"auth\": {\"mode\": \"none\"},\n\"limits\": {\n  \"max_cals\": 5\n}}");
  EXPECT_EQ(p.path, "limits.max_cals");
  EXPECT_EQ(p.line, 4);
  EXPECT_THAT(p.message, HasSubstr("did you mean 'max_calls'"));
}

TEST(Config, NamesWrongTypesAndRanges) {
  auto p = only_problem("{\"auth\": {\"mode\": \"none\"},\n \"limits\": {\"max_calls\": \"many\"}}");
  EXPECT_EQ(p.path, "limits.max_calls");
  EXPECT_EQ(p.line, 2);
  EXPECT_THAT(p.message, HasSubstr("whole number"));
  p = only_problem("{\"auth\": {\"mode\": \"none\"}, \"limits\": {\"max_calls\": 0}}");
  EXPECT_THAT(p.message, HasSubstr("from 1 to 100000"));
  p = only_problem("{\"auth\": {\"mode\": \"nobody\"}}");
  EXPECT_THAT(p.message, HasSubstr("must be one of none, signature, token"));
  p = only_problem("{\"auth\": {\"mode\": \"none\"}, \"listen\": []}");
  EXPECT_THAT(p.message, HasSubstr("must be an object"));
}

TEST(Config, NamesTheLineOfASyntaxError) {
  const auto p = only_problem("{\n\"auth\": {\n\"mode\" \"none\"}}");
  EXPECT_EQ(p.line, 3);
  EXPECT_THAT(p.message, HasSubstr("not JSON"));
}

TEST(Config, SubstitutesTheEnvironmentAndFilesAndNamesWhatIsMissing) {
  ::setenv("VOXGATE_TEST_SECRET", "0123456789abcdef0123456789abcdef", 1);
  const std::string base =
      R"({"public_url": "https://v.example.com", "auth": {"twilio_auth_tokens": ["0123456789abcdef"], "token_secret": )";
  const LoadedConfig loaded = load_config_text(base + "\"${VOXGATE_TEST_SECRET}\"}}", {});
  ASSERT_TRUE(loaded.problems.empty());
  EXPECT_EQ(loaded.config.auth.token_secret, "0123456789abcdef0123456789abcdef");
  auto p = only_problem(base + "\"${VOXGATE_NOT_SET}\"}}");
  EXPECT_EQ(p.path, "auth.token_secret");
  EXPECT_THAT(p.message, HasSubstr("VOXGATE_NOT_SET is not set"));
  p = only_problem(base + "\"file:/nowhere/secret\"}}");
  EXPECT_THAT(p.message, HasSubstr("/nowhere/secret"));
}

TEST(Config, ChecksWhatNoSingleFieldCanKnow) {
  EXPECT_EQ(load_config_text("{}", {}).problems.size(), 3u) << "token mode needs an URL, a carrier secret and a key";
  EXPECT_EQ(only_problem(kGood, {"auth.twilio_auth_tokens=[\"\"]"}).path, "auth.twilio_auth_tokens[0]");
  const auto p = only_problem(kGood, {"listen.admin=0.0.0.0:8081"});
  EXPECT_EQ(p.path, "admin_token");
  EXPECT_EQ(only_problem(kGood, {"listen.metrics=nonsense"}).path, "listen.metrics");
}

TEST(Config, HidesSecretsWhenPrinted) {
  const auto loaded =
      load_config_text(kGood, {"admin_token=verysecret", "auth.twilio_auth_tokens=[\"alsoverysecret-and-long\"]"});
  const std::string printed = print_config(loaded.config);
  EXPECT_EQ(printed.find("verysecret"), std::string::npos) << printed;
  EXPECT_THAT(printed, HasSubstr("********"));
}

TEST(Config, TheReferenceFileShowsEveryKeyWithItsDefault) {
  std::ifstream file(std::string(VOXGATE_SOURCE_DIR) + "/config/reference.json");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), reference_config()) << "regenerate it with: voxgate check --reference > config/reference.json";
}

TEST(Config, TheReadyMadeFilesAreValid) {
  ::setenv("VOXGATE_PUBLIC_URL", "https://voice.example.com", 1);
  ::setenv("TWILIO_AUTH_TOKEN", "12345678901234567890123456789012", 1);
  ::setenv("VOXGATE_TOKEN_SECRET", "0123456789abcdef0123456789abcdef", 1);
  for (const char* name : {"demo.json", "container.json"}) {
    const auto loaded = load_config_file(std::string(VOXGATE_SOURCE_DIR) + "/config/" + name, {});
    for (const auto& p : loaded.problems) ADD_FAILURE() << name << ':' << p.line << ' ' << p.path << ": " << p.message;
  }
}

TEST(Config, ReadsEndpoints) {
  EXPECT_EQ(parse_endpoint("127.0.0.1:80"), (std::pair<std::string, std::uint16_t>("127.0.0.1", 80)));
  EXPECT_EQ(parse_endpoint("[::1]:80"), (std::pair<std::string, std::uint16_t>("::1", 80)));
  for (const char* bad : {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:80"}) {
    EXPECT_EQ(parse_endpoint(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace voxgate::gateway
