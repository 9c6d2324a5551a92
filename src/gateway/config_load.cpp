// Reads settings files: the only place where the server's own configuration meets files, the environment and command
// lines.

#include <fstream>
#include <sstream>

#include "gateway/json_lines.hpp"
#include "gateway/settings_reader.hpp"
#include "voxgate/base/text.hpp"
#include "voxgate/gateway/config.hpp"

namespace voxgate::gateway {
namespace {

using nlohmann::json;
using settings::Problem;

constexpr std::size_t kMinTokenChars = 16;  // a real one has 32; an empty one would let anybody sign

bool is_loopback(const std::string& address) {
  return address == "::1" || address == "localhost" || address.starts_with("127.");
}

// "limits.max_calls=5": the value is JSON where it parses as such, else a string.
void apply_set(json& root, const std::string& set, std::vector<Problem>& problems) {
  const std::size_t equals = set.find('=');
  if (equals == std::string::npos || equals == 0) {
    problems.push_back({set, 0, "--set wants path=value"});
    return;
  }
  const std::string path = set.substr(0, equals), text = set.substr(equals + 1);
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) value = text;
  json* at = &root;
  for (const std::string_view key : text::split(path, '.')) {
    if (!at->is_object() && !at->is_null()) {
      problems.push_back({path, 0, "--set goes through something that is not an object"});
      return;
    }
    at = &(*at)[std::string(key)];
  }
  *at = std::move(value);
}

void check_door(const std::string& key, const std::string& endpoint, std::vector<Problem>& problems) {
  if (!parse_endpoint(endpoint)) problems.push_back({key, 0, "must be address:port, is '" + endpoint + "'"});
}

// What no single field can know.
void check_together(const Config& c, std::vector<Problem>& problems) {
  check_door("listen.public", c.listen.public_door, problems);
  check_door("listen.admin", c.listen.admin, problems);
  if (!c.listen.metrics.empty()) check_door("listen.metrics", c.listen.metrics, problems);
  if (c.auth.mode == "signature" || c.auth.mode == "token") {
    if (c.public_url.empty()) {
      problems.push_back({"public_url", 0, "is needed where auth.mode is " + c.auth.mode + ": signatures cover it"});
    }
    if (c.auth.twilio_auth_tokens.empty()) {
      problems.push_back({"auth.twilio_auth_tokens", 0, "is needed where auth.mode is " + c.auth.mode});
    }
  }
  for (std::size_t i = 0; i < c.auth.twilio_auth_tokens.size(); ++i) {
    if (c.auth.twilio_auth_tokens[i].size() >= kMinTokenChars) continue;
    problems.push_back({"auth.twilio_auth_tokens[" + std::to_string(i) + "]", 0,
                        "must have at least " + std::to_string(kMinTokenChars) + " characters"});
  }
  if (c.auth.mode == "token" && c.auth.token_secret.size() < 32) {
    problems.push_back({"auth.token_secret", 0, "must have at least 32 characters"});
  }
  if (!c.public_url.empty() && !c.public_url.starts_with("https://") && !c.public_url.starts_with("http://")) {
    problems.push_back({"public_url", 0, "must start with https:// or http://"});
  }
  const auto admin = parse_endpoint(c.listen.admin);
  if (admin && !is_loopback(admin->first) && c.admin_token.empty()) {
    problems.push_back({"admin_token", 0, "is needed where listen.admin is not on loopback"});
  }
}

}  // namespace

LoadedConfig load_config_text(const std::string& text, const std::vector<std::string>& sets) {
  LoadedConfig out;
  json root;
  if (!parse_settings(text, root, out.problems)) return out;
  for (const std::string& set : sets) apply_set(root, set, out.problems);
  SettingsReader reader(root, json_lines(text), out.problems);
  describe(reader, out.config);
  reader.finish();
  if (out.problems.empty()) check_together(out.config, out.problems);
  return out;
}

LoadedConfig load_config_file(const std::string& path, const std::vector<std::string>& sets) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) {
    LoadedConfig out;
    out.problems.push_back({"", 0, "cannot read the file"});
    return out;
  }
  return load_config_text(text.str(), sets);
}

std::string print_config(const Config& config) {
  Config copy = config;
  return write_settings([&](settings::Visitor& v) { describe(v, copy); }, false);
}

std::string reference_config() {
  Config defaults;
  return "// Every setting with its default. JSON with comments; ${NAME} and file:/path are replaced in strings.\n" +
         write_settings([&](settings::Visitor& v) { describe(v, defaults); }, true);
}

}  // namespace voxgate::gateway
