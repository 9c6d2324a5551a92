#include "voxgate/gateway/config.hpp"

#include <charconv>

namespace voxgate::gateway {
namespace {

using settings::Meta;
using settings::Visitor;

void describe_listen(Visitor& v, Config::Listen& c) {
  if (!v.enter("listen", "Doors: address:port each; port 0 takes any free one.")) return;
  v.field("public", c.public_door, Meta("Carriers' door: media WebSockets, webhooks, health."));
  v.field("admin", c.admin, Meta("Operators' door: calls, console data; needs admin_token unless on loopback."));
  v.field("metrics", c.metrics, Meta("Prometheus' door: /metrics and health, no token. Empty: none."));
  v.field("port_file", c.port_file, Meta("File that receives the bound addresses as JSON once all doors are open."));
  v.leave();
}

void describe_limits(Visitor& v, Config::Limits& c) {
  if (!v.enter("limits", "Hard bounds.")) return;
  v.field("max_calls", c.max_calls, Meta("Calls at once; one more is refused with 503 before the upgrade.", 1, 100000));
  v.field("max_connections", c.max_connections, Meta("Connections at once per door, upgraded or not.", 1, 200000));
  v.field("retry_after_s", c.retry_after, Meta("Retry-After of a 503, in seconds.", 0, 3600));
  v.field("start_timeout_s", c.start_timeout, Meta("Seconds from the upgrade to the carrier's start message.", 1, 300));
  v.field("idle_timeout_s", c.idle_timeout,
          Meta("Seconds without a byte of any kind until a stream counts as lost.", 2, 3600));
  v.field("write_timeout_s", c.write_timeout, Meta("Seconds a peer may refuse to read.", 1, 300));
  v.field("malformed_messages", c.malformed_messages,
          Meta("Broken messages until a stream is closed with 1007.", 1, 10000));
  v.leave();
}

void describe_auth(Visitor& v, Config::Auth& c) {
  if (!v.enter("auth", "Who may open a media stream.")) return;
  v.field("mode", c.mode,
          Meta::one_of("none: anybody (only on loopback). signature: the carrier's signature on webhook and upgrade. "
                       "token: that, and a token in the stream URL that the webhook handed out.",
                       {"none", "signature", "token"}));
  auto tokens = Meta::hidden("Twilio auth tokens, the current one first; two during a rotation.");
  v.field("twilio_auth_tokens", c.twilio_auth_tokens, tokens);
  v.field("token_secret", c.token_secret, Meta::hidden("Key of the stream tokens, at least 32 characters."));
  v.leave();
}

void describe_rest(Visitor& v, Config& c) {
  if (v.enter("agents", "Which agent answers.")) {
    v.field("directory", c.agents.directory, Meta("Folder of agent files; NAME.json is agent NAME."));
    v.field("default", c.agents.default_agent, Meta("Agent of calls that name none."));
    v.field("numbers", c.agents.numbers, Meta("Called number -> agent."));
    v.leave();
  }
  if (v.enter("media", "Audio on its way.")) {
    v.field("lead_ms", c.media.lead, Meta("Audio kept ahead of the play position.", 60, 400));
    v.field("message_ms", c.media.message, Meta("Length of an outbound audio message.", 20, 200));
    v.field("inband_dtmf", c.media.inband_dtmf,
            Meta("Listen for keys in the audio where the carrier reports them itself."));
    v.leave();
  }
  if (v.enter("engines", "The embedded recogniser and voice.")) {
    v.field("asr_threads", c.engines.asr_threads, Meta("Threads that recognise.", 1, 64));
    v.field("tts_threads", c.engines.tts_threads, Meta("Threads that synthesise.", 1, 64));
    v.field("max_decoders", c.engines.max_decoders, Meta("Callers recognised at once, about 8 MB each.", 1, 1000));
    v.field("model_dir", c.engines.model_dir, Meta("Folder of the acoustic model and dictionary."));
    v.field("gate_threshold", c.engines.gate_threshold,
            Meta("Score per frame below which words count as not understood.", -200, 0));
    v.field("voice_cache_bytes", c.engines.voice_cache_bytes, Meta("Synthesised speech kept for reuse.", 0, 1e9));
    v.leave();
  }
  if (v.enter("records", "What is kept of a call.")) {
    v.field("path", c.records.path, Meta("SQLite file of the call records. Empty: none."));
    v.field("queue", c.records.queue, Meta("Events that may wait for the writer.", 100, 10000000));
    v.field("recordings_dir", c.records.recordings_dir,
            Meta("Folder for stereo WAV recordings (caller left, agent right). Empty: no recording."));
    v.leave();
  }
  if (v.enter("log", "What is written to standard error.")) {
    v.field("level", c.log.level,
            Meta::one_of("Least important level written.", {"debug", "info", "warn", "error", "off"}));
    v.field("format", c.log.format, Meta::one_of("json: one object a line. text: for people.", {"json", "text"}));
    v.leave();
  }
}

}  // namespace

void describe(Visitor& v, Config& c) {
  describe_listen(v, c.listen);
  v.field("loops", c.loops, Meta("Event loops; 0: one per core this process may use.", 0, 64));
  describe_limits(v, c.limits);
  if (v.enter("drain", "After SIGTERM.")) {
    v.field("deadline_s", c.drain.deadline, Meta("Seconds live calls may go on.", 0, 86400));
    v.field("spread_s", c.drain.spread, Meta("Seconds over which the calls left at the deadline are closed.", 0, 600));
    v.leave();
  }
  describe_auth(v, c.auth);
  v.field("public_url", c.public_url,
          Meta("https://host[:port] under which carriers reach the public door; signatures cover it."));
  v.field("admin_token", c.admin_token, Meta::hidden("Bearer token of the admin door."));
  describe_rest(v, c);
}

std::optional<std::pair<std::string, std::uint16_t>> parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  std::string host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return std::nullopt;
  }
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc() || stop != end || host.empty()) return std::nullopt;
  return std::pair{host, port};
}

}  // namespace voxgate::gateway
