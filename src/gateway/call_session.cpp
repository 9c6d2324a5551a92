#include "gateway/call_session.hpp"

#include <ctime>
#include <random>

#include "voxgate/base/log.hpp"

namespace voxgate::gateway {

using call::EndReason;
using call::EventKind;

namespace {

constexpr std::size_t kMaxTurnsShown = 200;

std::int64_t wall_ms() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch()).count();
}

int local_offset_min() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return static_cast<int>(local.tm_gmtoff / 60);
}

// Unique for ever without coordination: time and 64 random bits.
std::string make_record_id() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%012llx%016llx", static_cast<unsigned long long>(wall_ms()),
                static_cast<unsigned long long>(random()));
  return buffer;
}

// One way, as far as it can be known here: half of what marks come back late, and the audio we keep ahead.
audio::NetworkOpinion network_opinion(const call::Call& call) {
  const double path_ms = std::max(0.0, static_cast<double>(call.playout().stats().last_mark_delay.count())) / 2;
  return audio::estimate_opinion(path_ms, call.ears().missing_share() * 100, true);
}

std::uint16_t close_code(EndReason reason) {
  switch (reason) {
    case EndReason::protocol_error:
      return 1002;
    case EndReason::operator_ended:
      return 1001;
    case EndReason::failed:
      return 1011;
    default:
      return 1000;
  }
}

// Of a socket that ended without a word of ours. A code of our own in `info` is the socket's verdict on the peer's
// frames: too big, not WebSocket, not UTF-8.
EndReason how_it_ended(const net::CloseInfo& info) {
  if (info.peer_closed) return EndReason::caller_hung_up;
  return info.code == 1006 ? EndReason::transport_lost : EndReason::protocol_error;
}

}  // namespace

CallSession::CallSession(SessionDeps& deps, net::Loop& loop, SessionInit init)
    : deps_(deps), loop_(loop), init_(std::move(init)) {}

CallSession::~CallSession() = default;

net::Awaitable<void> CallSession::run(net::WebSocket& socket) {
  socket_ = &socket;
  opened_at_ = Clock::now();
  handle_ = deps_.tables[loop_.index()]->insert(this);
  tick_sub_ = loop_.add_tickable(*this);
  const net::CloseInfo info = co_await socket.run(*this);
  // From here nothing of the socket runs any more. 1. no more ticks, nobody finds the call; 2. the core closes its
  // turn;
  // 3. record and recording; 4. streams, then slot and ticket go with this object.
  tick_sub_.reset();
  listed_.reset();
  deps_.tables[loop_.index()]->erase(handle_);
  settle(info);
  socket_ = nullptr;
}

void CallSession::settle(const net::CloseInfo& info) {
  if (!ended_) {
    ended_ = how_it_ended(info);
    ended_at_ = Clock::now();
  }
  if (call_) {
    const auto& stats = socket_->counters();
    deps_.metrics.media_dropped.add(stats.dropped);
    call_->on_end(*ended_, ended_at_);
    write_end_of_record(*ended_);
    call_.reset();
  } else {
    log::info("stream.unused", {{"code", info.code}, {"error", info.error.message()}});
  }
  if (recording_) recording_->agent_cut(ms_since_start(Clock::now()));  // sent ahead, heard by nobody
  recording_.reset();
  streams_ = {};
}

void CallSession::write_end_of_record(EndReason reason) {
  const auto& feed = call_->ears().feed_stats();
  const auto& playout = call_->playout().stats();
  const Duration lasted = ended_at_ - started_at_;
  deps_.metrics.call_ended(std::string(dialect_->name()), reason);
  deps_.metrics.call_seconds.observe(to_seconds(lasted));
  deps_.metrics.media_late.add(feed.late + feed.duplicate);
  deps_.metrics.media_concealed.add(feed.gaps);
  deps_.metrics.playout_underruns.add(playout.underruns);
  const auto& network = call_->ears().network();
  if (call_->ears().frames_in() != 0) {
    deps_.metrics.jitter.observe(network.jitter_ms() / 1000);
    deps_.metrics.network_mos.observe(network_opinion(*call_).mos);
    deps_.metrics.stalls.add(network.stalls());
  }
  log::info("call.ended", {{"call", call_id_},
                           {"outcome", call::to_string(reason)},
                           {"dur_ms", to_ms(lasted)},
                           {"frames_in", call_->ears().frames_in()},
                           {"messages_out", playout.messages},
                           {"late", feed.late + feed.duplicate},
                           {"gaps", feed.gaps},
                           {"turns", turns_.size()}});
  if (deps_.store == nullptr) return;
  records::CallEnded ended;
  ended.record = record_id_;
  ended.at = std::chrono::system_clock::now();
  ended.outcome = call::to_string(reason);
  ended.detail = end_detail_;
  ended.duration_ms = to_ms(lasted);
  ended.frames_in = static_cast<std::int64_t>(call_->ears().frames_in());
  ended.messages_out = static_cast<std::int64_t>(playout.messages);
  ended.frames_late = static_cast<std::int64_t>(feed.late + feed.duplicate);
  ended.gaps = static_cast<std::int64_t>(feed.gaps);
  if (recording_) ended.recording = recording_->path();
  deps_.store->call_ended(std::move(ended));
}

// ---- inbound
// ----------------------------------------------------------------------------------------------------------

void CallSession::on_message(bool is_text, std::span<const std::uint8_t> payload) {
  if (closing_) return;
  const Instant now = Clock::now();
  if (!dialect_) {
    dialect_ =
        init_.carrier.empty() ? carriers::detect_dialect(is_text, payload) : carriers::make_dialect(init_.carrier);
    if (!dialect_) {
      deps_.metrics.messages_malformed.add();
      return finish(EndReason::protocol_error, 1003, "first message of no known protocol");
    }
  }
  carriers::MediaEvent event = dialect_->parse(is_text, payload, init_.slot->scratch);
  if (const auto* audio = std::get_if<carriers::MediaAudio>(&event)) {
    deps_.metrics.media_in.add();
    if (!call_) return;
    if (recording_) record_caller(*audio, now);
    call_->on_media(event, now);
  } else if (auto* start = std::get_if<carriers::StreamStart>(&event)) {
    begin_call(std::move(*start), now);
  } else if (std::holds_alternative<carriers::MediaStop>(event)) {
    finish(EndReason::caller_hung_up, 1000, "");
  } else if (const auto* refused = std::get_if<carriers::MediaRefused>(&event)) {
    deps_.metrics.messages_malformed.add();
    finish(EndReason::protocol_error, refused->close_code, refused->why);
  } else if (const auto* broken = std::get_if<carriers::MediaMalformed>(&event)) {
    on_malformed(broken->why);
  } else if (std::holds_alternative<carriers::MediaIgnored>(event)) {
    deps_.metrics.messages_ignored.add();
  } else if (call_) {
    call_->on_media(event, now);
  }
}

// The caller's audio goes where its media time says, counted from the first frame's arrival: a stall moves nothing.
void CallSession::record_caller(const carriers::MediaAudio& audio, Instant now) {
  if (!first_media_ms_) first_media_ms_ = ms_since_start(now) - std::max<std::int64_t>(audio.timestamp_ms, 0);
  const std::int64_t at_ms = audio.timestamp_ms >= 0 ? *first_media_ms_ + audio.timestamp_ms : ms_since_start(now);
  recording_->caller(at_ms, audio.bytes);
}

void CallSession::on_malformed(const char* why) {
  deps_.metrics.messages_malformed.add();
  if (++malformed_ < deps_.config.limits.malformed_messages) return;
  end_detail_ = why;
  finish(EndReason::protocol_error, 1007, why);
}

std::string CallSession::choose_agent(const carriers::StreamStart& start) const {
  if (!init_.agent.empty()) return init_.agent;
  for (const auto& [key, value] : start.params) {
    if (key == "agent") return value;
  }
  for (const auto& [number, agent] : deps_.config.agents.numbers) {
    if (number == start.to) return agent;
  }
  return deps_.config.agents.default_agent;
}

void CallSession::begin_call(carriers::StreamStart start, Instant now) {
  const std::string agent_name = choose_agent(start);
  const auto agent = deps_.services.agent(agent_name);
  if (!agent) {
    log::warn("call.no_agent", {{"call", start.call_id}, {"agent", agent_name}});
    return finish(EndReason::failed, 1008, "no such agent");
  }
  call_id_ = start.call_id.empty() ? init_.path_call_id : start.call_id;
  start.call_id = call_id_;
  if (deps_.config.auth.mode != "none" && call_id_ != init_.path_call_id) {
    return finish(EndReason::protocol_error, 1008, "the start names another call than the URL");
  }
  auto listed = deps_.directory.add({&loop_, handle_, call_id_, std::string(dialect_->name()), agent->name, now});
  if (!listed) {
    log::warn("call.duplicate", {{"call", call_id_}});
    return finish(EndReason::protocol_error, 1008, "this call has a live stream");
  }
  listed_ = std::move(*listed);
  record_id_ = make_record_id();
  started_at_ = now;

  // Whoever answers later finds the call by its handle, or finds nothing.
  CallTable* table = deps_.tables[loop_.index()].get();
  const Handle handle = handle_;
  CallSinks sinks;
  sinks.asr = [table, handle](vendors::AsrEvent&& event) {
    if (auto* s = table->find(handle); s != nullptr && s->call_) s->call_->on_asr(std::move(event), Clock::now());
  };
  sinks.llm = [table, handle](vendors::LlmEvent&& event) {
    if (auto* s = table->find(handle); s != nullptr && s->call_) s->call_->on_llm(std::move(event), Clock::now());
  };
  sinks.tts = [table, handle](vendors::TtsEvent&& event) {
    if (auto* s = table->find(handle); s != nullptr && s->call_) s->call_->on_tts(std::move(event), Clock::now());
  };
  auto streams = deps_.services.open(loop_, *agent, start.out, std::move(sinks));
  if (!streams) {
    log::warn("call.no_streams", {{"call", call_id_}, {"error", streams.error().message()}});
    return finish(EndReason::failed, 1003, "format not supported by the agent's services");
  }
  streams_ = std::move(*streams);

  call::CallSettings settings;
  settings.agent = agent;
  settings.capabilities = &dialect_->capabilities();
  settings.playout.lead = deps_.config.media.lead;
  settings.playout.message = deps_.config.media.message;
  settings.inband_dtmf = deps_.config.media.inband_dtmf;
  settings.wall_ms = wall_ms();
  settings.utc_offset_min = local_offset_min();
  settings.start = std::move(start);
  const carriers::StreamStart& s = settings.start;
  if (deps_.recorder != nullptr) recording_ = deps_.recorder->start(call_id_, s.in, s.out);
  log::info("call.started", {{"call", call_id_}, {"carrier", dialect_->name()}, {"agent", agent->name}});
  if (deps_.store != nullptr) {
    records::CallStarted started;
    started.record = record_id_;
    started.call_id = call_id_;
    started.stream_id = s.stream_id;
    started.carrier = dialect_->name();
    started.account_id = s.account_id;
    started.from = s.from;
    started.to = s.to;
    started.agent = agent->name;
    started.at = std::chrono::system_clock::now();
    deps_.store->call_started(std::move(started));
  }
  call::CallPorts ports{this, this, this, streams_.asr.get(), streams_.llm.get(), streams_.tts.get()};
  call_ = std::make_unique<call::Call>(std::move(settings), ports, *init_.slot, now);
  call_->begin(now);
}

void CallSession::tick(Instant now) {
  if (call_) {
    if (!closing_) call_->tick(now);
  } else if (!closing_ && now - opened_at_ > deps_.config.limits.start_timeout) {
    finish(EndReason::protocol_error, 1008, "no start message");
  }
}

// ---- outbound
// ---------------------------------------------------------------------------------------------------------

void CallSession::send_audio(std::span<const std::uint8_t> bytes) {
  if (socket_ == nullptr || closing_) return;
  std::string& out = socket_->begin_message(!dialect_->capabilities().binary_audio, net::Delivery::droppable);
  if (dialect_->encode_audio(bytes, out) == carriers::Framing::none) return;
  socket_->commit_message();
  deps_.metrics.media_out.add();
  if (recording_) recording_->agent(ms_since_start(Clock::now()), bytes);
}

void CallSession::send_mark(std::string_view name) {
  if (socket_ == nullptr || closing_) return;
  std::string& out = socket_->begin_message(true);
  if (dialect_->encode_mark(name, out) != carriers::Framing::none) socket_->commit_message();
}

void CallSession::send_clear() {
  if (socket_ == nullptr || closing_) return;
  std::string& out = socket_->begin_message(true);
  if (dialect_->encode_clear(out) != carriers::Framing::none) socket_->commit_message();
  if (recording_) recording_->agent_cut(ms_since_start(Clock::now()));
}

void CallSession::end_call(EndReason reason, std::string_view detail) {
  end_detail_ = detail;
  if (reason == EndReason::transferred) deps_.transfers.put(call_id_, std::string(detail), Clock::now());
  finish(reason, close_code(reason), call::to_string(reason));
}

void CallSession::finish(EndReason reason, std::uint16_t code, std::string_view text) {
  if (closing_ || socket_ == nullptr) return;
  ended_ = reason;
  ended_at_ = Clock::now();
  listed_.reset();
  if (call_) call_->on_end(reason, ended_at_);  // late answers of the services find a call that is over
  if (dialect_ && call_) {
    std::string& out = socket_->begin_message(true);
    if (dialect_->encode_end(out) != carriers::Framing::none) socket_->commit_message();
  }
  closing_ = true;
  socket_->close(code, text);
}

// ---- what the call tells
// ----------------------------------------------------------------------------------------------

void CallSession::on_event(EventKind kind, Duration at, std::string_view detail) {
  GatewayMetrics& m = deps_.metrics;
  switch (kind) {
    case EventKind::eager_end:
      m.speculations.add();
      break;
    case EventKind::speculation_dropped:
      m.speculations_wasted.add();
      break;
    case EventKind::barge_resume:
      m.false_interruptions.add();
      break;
    case EventKind::no_input:
      m.no_input.add();
      break;
    case EventKind::no_match:
      m.no_match.add();
      break;
    case EventKind::apology:
      m.apologies.add();
      break;
    case EventKind::service_failed:
      log::warn("call.service_failed", {{"call", call_id_}, {"what", detail}});
      break;
    case EventKind::asr_warning:
      log::warn("call.asr_warning", {{"call", call_id_}, {"what", detail}});
      break;
    default:
      break;
  }
  // What callers say and press appears in no log above debug; debug says only that it happened.
  log::debug("call.event", {{"call", call_id_}, {"kind", call::to_string(kind)}, {"at_ms", to_ms(at)}});
}

void CallSession::on_caller(const call::TurnRecord& turn) {
  if (turns_.size() < kMaxTurnsShown) turns_.push_back({turn, false});
}

void CallSession::on_turn(const call::TurnRecord& turn) {
  deps_.metrics.turns.add();
  if (turn.stamps.complete() && turn.cause != vendors::TurnCause::greeting) {
    deps_.metrics.turn_total.observe(to_seconds(turn.stamps.total()));
    const auto stages = turn.stamps.stages();
    for (std::size_t i = 0; i < call::kStages; ++i) deps_.metrics.turn_stage[i]->observe(to_seconds(stages[i]));
    deps_.metrics.mark_delay.observe(std::max(0.0, static_cast<double>(turn.mark_delay_ms) / 1000));
  }
  if (!turns_.empty() && turns_.back().turn.number == turn.number) {
    turns_.back() = {turn, true};
  } else if (turns_.size() < kMaxTurnsShown) {
    turns_.push_back({turn, true});
  }
  if (deps_.store != nullptr) deps_.store->turn(record_id_, turn);
}

void CallSession::on_barge_in(Duration reaction) {
  deps_.metrics.barge_ins.add();
  deps_.metrics.barge_in_reaction.observe(to_seconds(reaction));
}

}  // namespace voxgate::gateway
