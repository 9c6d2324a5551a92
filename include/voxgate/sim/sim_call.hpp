#pragma once
// One simulated phone call: a caller behind a Twilio media stream, in real time.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "voxgate/net/loop.hpp"
#include "voxgate/net/types.hpp"
#include "voxgate/sim/call_script.hpp"
#include "voxgate/sim/caller_voice.hpp"

namespace voxgate::sim {

/// A turn with its sound; many calls may share one clip.
struct PlannedTurn {
  ScriptTurn script;
  std::shared_ptr<const Clip> clip;  // say and wav
};

struct CallPlan {
  std::string url = "ws://127.0.0.1:8080";      // scheme and authority; or a whole media URL with a path
  std::string admin = "http://127.0.0.1:8081";  // empty: nothing is asked
  std::string admin_token;
  std::string agent;    // empty: the gateway's choice
  std::string call_id;  // empty: a random CA...
  std::vector<std::pair<std::string, std::string>> params;
  std::string auth_token;  // not empty: the upgrade carries X-Twilio-Signature
  std::vector<PlannedTurn> turns;
  bool expect_greeting = false;  // waits for it for the whole turn_timeout, else briefly
  Duration turn_timeout = 15s;   // from the end of the caller's turn to the agent's first sound
  Duration pause = 300ms;        // of the caller between the agent's last sound and his own first
  Duration jitter{};             // every frame leaves up to so much late, in order
  std::uint32_t seed = 1;
  bool hang_up_abruptly = false;  // cut the connection instead of stop and close
  bool keep_tracks = true;        // remember both sides
};

enum class CallOutcome {
  completed,   // the whole script was played
  no_gateway,  // nothing answered there
  refused,     // an HTTP status instead of 101
  bad_url,     // not a URL that can be called
  cut,         // the call ended before the script did
};
const char* to_string(CallOutcome outcome);

/// A turn as the gateway tells it (admin door).
struct GatewayTurn {
  int number = 0;
  std::string cause, caller, agent;
  std::int64_t at_ms = 0;  // since the start of the call: when the caller's turn was taken as over
  double confidence = 0;
  bool over = false, interrupted = false;
  std::optional<double> latency_ms;
  std::vector<std::pair<std::string, double>> stages_ms;  // in order
};

/// What the gateway tells about the whole call.
struct GatewayCall {
  bool reachable = false, found = false, live = false;
  std::string outcome, detail, recording;
  std::vector<GatewayTurn> turns;
};

/// What was measured at the wire in one turn; all times since the start of the stream.
struct TurnTrace {
  std::optional<Duration> onset;          // first sample of speech sent (or the first digit, or the wait began)
  std::optional<Duration> speech_end;     // last sample of speech sent (or the last digit)
  std::optional<Duration> reply_media;    // first frame of the reply received
  std::optional<Duration> reply_sound;    // first audible sample of the reply
  std::optional<Duration> reply_end;      // its last
  std::optional<Duration> clear;          // the first clear after an interruption began
  std::optional<Duration> old_audio_end;  // the last sound of the interrupted reply
  bool interrupting = false;              // the agent could be heard when this turn began
  bool replied = false, timed_out = false;
};

struct CallResult {
  CallOutcome outcome = CallOutcome::no_gateway;
  std::string call_id, url;
  ErrorCode error;
  int http_status = 0;
  std::string http_body;
  std::uint16_t close_code = 0;
  std::string close_reason;
  bool agent_ended = false;  // the gateway closed the stream first
  TurnTrace greeting;
  std::vector<TurnTrace> turns;  // one for each of the plan that was begun
  GatewayCall gateway;           // as last told
  Duration length{};
  std::int64_t frames_sent = 0, media_received = 0, media_bytes = 0, marks = 0, clears = 0, bad_messages = 0;
  std::vector<std::uint8_t> caller_track, agent_track;  // mu-law, sample-aligned as heard
};

/// Called on the loop while the call lives.
struct CallObserver {
  /// Something changed: a trace, or what the gateway tells.
  virtual void on_progress(const CallResult& so_far) = 0;

 protected:
  ~CallObserver() = default;
};

/// Places one call and returns when it is over and the gateway's record of it (if it is asked) is complete.
/// Owner: the caller's coroutine; any number may run on one loop. Threads: the loop.
net::Awaitable<CallResult> place_call(net::Loop& loop, CallPlan plan, CallObserver* observer = nullptr);

/// Where the call is placed and what is signed: the plan's URL with the media path, if it has none of its own.
std::string media_url(const CallPlan& plan);

/// The script turn each gateway turn belongs to: the last one whose onset is not after it; -1: the greeting.
std::vector<int> assign_turns(const CallResult& result);

}  // namespace voxgate::sim
