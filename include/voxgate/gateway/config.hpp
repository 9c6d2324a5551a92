#pragma once
// Everything the server can be told, with its defaults. Loaded once, then const.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "voxgate/base/settings.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::gateway {

struct Config {
  struct Listen {
    std::string public_door = "0.0.0.0:8080";
    std::string admin = "127.0.0.1:8081";
    std::string metrics = "127.0.0.1:9464";
    std::string port_file;  // where the bound addresses are written once everything listens
  } listen;

  std::int64_t loops = 0;  // 0: one per usable core

  struct Limits {
    std::int64_t max_calls = 1000;
    std::int64_t max_connections = 4000;
    std::chrono::seconds retry_after{5};
    std::chrono::seconds start_timeout{10};  // from the upgrade to the carrier's start
    std::chrono::seconds idle_timeout{30};   // no byte of any kind
    std::chrono::seconds write_timeout{10};
    std::int64_t malformed_messages = 20;  // then 1007
  } limits;

  struct Drain {
    std::chrono::seconds deadline{300};  // live calls may last so long after SIGTERM
    std::chrono::seconds spread{2};      // closes at the deadline are spread over this
  } drain;

  struct Auth {
    std::string mode = "token";  // none | signature | token
    std::vector<std::string> twilio_auth_tokens;
    std::string token_secret;
  } auth;
  std::string public_url;   // https://voice.example.com : what carriers are told and what they sign
  std::string admin_token;  // wanted in "Authorization: Bearer" unless the admin door is on loopback

  struct Agents {
    std::string directory = "config/agents";
    std::string default_agent = "demo";
    std::vector<std::pair<std::string, std::string>> numbers;  // called number -> agent
  } agents;

  struct Media {
    Millis lead{160};
    Millis message{40};
    bool inband_dtmf = false;
  } media;

  struct Engines {
    std::int64_t asr_threads = 2;
    std::int64_t tts_threads = 1;
    std::int64_t max_decoders = 40;
    std::string model_dir = "/usr/share/pocketsphinx/model/en-us";
    double gate_threshold = -44.0;
    std::int64_t voice_cache_bytes = 16 * 1024 * 1024;
  } engines;

  struct Records {
    std::string path = "voxgate.db";  // empty: no records
    std::int64_t queue = 10000;       // events waiting for the writer
    std::string recordings_dir;       // empty: no recordings
  } records;

  struct Log {
    std::string level = "info";
    std::string format = "json";
  } log;
};

/// Walks over every field; the single source of names, defaults, ranges and descriptions.
void describe(settings::Visitor& v, Config& config);

/// What one file or command line amounts to.
struct LoadedConfig {
  Config config;
  std::vector<settings::Problem> problems;  // empty: usable
};

/// Reads JSON with comments, substitutes ${ENV} and file:/path in strings, applies `sets` ("limits.max_calls=5").
/// `name` is how the file is called in problems.
LoadedConfig load_config_text(const std::string& text, const std::vector<std::string>& sets);
/// An unreadable file is a problem too.
LoadedConfig load_config_file(const std::string& path, const std::vector<std::string>& sets);

/// The effective configuration as JSON, secrets hidden.
std::string print_config(const Config& config);
/// A settings file with every key, its default and its description.
std::string reference_config();

/// "1.2.3.4:80" or "[::1]:80" -> address and port; nullopt if it is neither.
std::optional<std::pair<std::string, std::uint16_t>> parse_endpoint(const std::string& text);

}  // namespace voxgate::gateway
