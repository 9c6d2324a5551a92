#include "voxgate/sim/sim_call.hpp"

#include <algorithm>
#include <random>

#include "sim/call_watch.hpp"
#include "sim/conversation.hpp"
#include "sim/twilio_wire.hpp"
#include "voxgate/base/text.hpp"
#include "voxgate/carriers/twilio_signature.hpp"
#include "voxgate/net/task_scope.hpp"
#include "voxgate/net/ws_client.hpp"

namespace voxgate::sim {
namespace {

constexpr Duration kFrame = 20ms;
constexpr Duration kPoll = 150ms;
constexpr Duration kLinger = 700ms;       // for an agent who hangs up after his last words
constexpr Duration kClosePatience = 6s;   // the WebSocket cuts itself off before
constexpr Duration kRecordPatience = 4s;  // until the gateway has written the call down
constexpr int kProgressFrames = 5;
constexpr int kAdminTries = 3;
constexpr std::int64_t kOnsetSlackMs = 60;  // the gateway's clock of the call starts a little after ours

/// Owner: place_call's frame. Invariant: everything runs on one loop; `socket_` outlives read_loop.
class LiveCall final : private net::MessageHandler {
 public:
  LiveCall(net::Loop& loop, CallPlan plan, CallObserver* observer);
  net::Awaitable<void> run();
  CallResult take() { return std::move(result_); }

 private:
  net::Awaitable<bool> connect();
  net::Awaitable<void> read_loop();
  net::Awaitable<void> frame_loop();
  net::Awaitable<void> mark_loop();
  net::Awaitable<void> watch_loop();
  net::Awaitable<void> read_record();
  void on_message(bool is_text, std::span<const std::uint8_t> payload) override;
  void open_stream();
  bool send_frame(std::int64_t frame);
  void hang_up();
  void echo_marks(Instant now);
  void note_gateway(GatewayCall told);
  bool reply_over_at_gateway() const;
  void progress();
  template <class F>
  void send(F write);

  net::Loop& loop_;
  CallPlan plan_;
  CallObserver* observer_;
  CallResult result_;
  TwilioSender sender_;
  LineNoise noise_;
  std::mt19937 random_;
  net::TaskScope scope_;
  net::Event marks_changed_, over_, ended_;
  std::unique_ptr<net::WebSocket> socket_;
  std::optional<PhoneLine> line_;
  std::optional<Conversation> talk_;
  std::optional<Instant> done_at_;
  bool hanging_up_ = false;
};

StreamIds ids_of(const CallPlan& plan) {
  StreamIds ids = random_ids(std::random_device{}() * 4294967296ull + plan.seed);
  if (!plan.call_id.empty()) ids.call = plan.call_id;
  return ids;
}

LiveCall::LiveCall(net::Loop& loop, CallPlan plan, CallObserver* observer)
    : loop_(loop),
      plan_(std::move(plan)),
      observer_(observer),
      sender_(ids_of(plan_)),
      noise_(plan_.seed * 977u),
      random_(plan_.seed),
      scope_(loop, "simulated call"),
      marks_changed_(loop.executor()),
      over_(loop.executor()),
      ended_(loop.executor()) {
  plan_.call_id = result_.call_id = sender_.ids().call;
  result_.url = media_url(plan_);
}

net::Awaitable<void> LiveCall::run() {
  const bool connected = co_await connect();
  if (!connected) co_return;
  open_stream();
  scope_.spawn(read_loop());
  scope_.spawn(frame_loop());
  scope_.spawn(mark_loop());
  if (!plan_.admin.empty()) scope_.spawn(watch_loop());
  co_await over_.wait_uncancelled();
  result_.outcome = talk_->complete() ? CallOutcome::completed : CallOutcome::cut;
  result_.length = Clock::now() - line_->start();
  hang_up();
  co_await ended_.wait_until(Clock::now() + kClosePatience);
  scope_.cancel();
  co_await scope_.join();
  line_->advance(line_->start() + result_.length);
  result_.agent_track = line_->track();
  if (!plan_.admin.empty()) co_await read_record();
  progress();
}

net::Awaitable<bool> LiveCall::connect() {
  net::Headers headers;
  if (!plan_.auth_token.empty()) {
    headers.add("X-Twilio-Signature", carriers::twilio_signature(plan_.auth_token, result_.url, {}));
  }
  headers.add("User-Agent", "Twilio.TmeWs/1.0 (simulated)");
  net::WebSocketOptions options;
  options.message_limit = 1 << 20;
  auto connected = co_await net::ws_connect(loop_, result_.url, std::move(headers), options);
  if (connected) {
    socket_ = std::move(connected.socket);
    co_return true;
  }
  result_.error = connected.error;
  result_.http_status = connected.response.status;
  result_.http_body = std::move(connected.response.body);
  const bool bad_url =
      connected.error == make_error_code(Errc::bad_input) || connected.error == make_error_code(Errc::unsupported);
  result_.outcome = result_.http_status != 0 ? CallOutcome::refused
                    : bad_url                ? CallOutcome::bad_url
                                             : CallOutcome::no_gateway;
  co_return false;
}

template <class F>
void LiveCall::send(F write) {
  if (!socket_ || !socket_->is_open()) return;
  write(socket_->begin_message(true));
  socket_->commit_message();
}

void LiveCall::open_stream() {
  std::vector<std::pair<std::string, std::string>> params = plan_.params;
  if (!plan_.agent.empty()) params.emplace_back("agent", plan_.agent);
  send([this](std::string& out) { sender_.connected(out); });
  send([&](std::string& out) { sender_.start(out, params); });
  line_.emplace(Clock::now(), plan_.keep_tracks);
  talk_.emplace(plan_, result_, *line_);
}

net::Awaitable<void> LiveCall::read_loop() {
  const net::CloseInfo info = co_await socket_->run(*this);
  result_.close_code = info.code;
  result_.close_reason = info.reason;
  result_.agent_ended = !hanging_up_;
  ended_.set();
  over_.set();
}

void LiveCall::on_message(bool is_text, std::span<const std::uint8_t> payload) {
  const Instant now = Clock::now();
  const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
  GatewayMessage message;
  if (is_text) message = parse_gateway_message(text, sender_.ids().stream);
  switch (message.kind) {
    case GatewayMessage::Kind::media:
      ++result_.media_received;
      result_.media_bytes += static_cast<std::int64_t>(message.audio.size());
      line_->media(now, message.audio);
      return talk_->on_media(now);
    case GatewayMessage::Kind::mark:
      ++result_.marks;
      line_->mark(now, std::move(message.mark));
      return marks_changed_.set();
    case GatewayMessage::Kind::clear:
      ++result_.clears;
      line_->clear(now);
      talk_->on_clear(now);
      return marks_changed_.set();
    case GatewayMessage::Kind::wrong:
      ++result_.bad_messages;
      return;
  }
}

net::Awaitable<void> LiveCall::mark_loop() {
  for (;;) {
    marks_changed_.reset();
    echo_marks(Clock::now());
    if (const auto due = line_->next_mark()) {
      co_await marks_changed_.wait_until(*due);
    } else {
      co_await marks_changed_.wait();
    }
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) co_return;
  }
}

void LiveCall::echo_marks(Instant now) {
  for (const std::string& name : line_->take_marks(now)) {
    send([&](std::string& out) { sender_.mark(out, name); });
  }
}

// Frames leave by the schedule of the stream, so that a late wake-up is caught up and no error adds up.
net::Awaitable<void> LiveCall::frame_loop() {
  net::Timer timer(loop_.executor());
  Instant due = line_->start();
  const auto jitter_us = std::chrono::duration_cast<Micros>(plan_.jitter).count();
  for (std::int64_t frame = 0;; ++frame) {
    const Instant nominal = line_->start() + (frame + 1) * kFrame;
    const Micros late(jitter_us > 0 ? static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(jitter_us)) : 0);
    due = std::max(due, nominal + late);
    timer.expires_at(due);
    auto [error] = co_await timer.async_wait(net::kTuple);
    if (error || !socket_->is_open()) break;
    if (!send_frame(frame)) break;
    if (frame % kProgressFrames == 0) progress();
  }
  over_.set();
}

// False when the call is to end.
bool LiveCall::send_frame(std::int64_t frame) {
  const Instant now = Clock::now();
  const Conversation::Frame said = talk_->step(now);
  std::array<std::uint8_t, kFrameSamples> bytes;
  std::copy(said.ulaw.begin(), said.ulaw.end(), bytes.begin());
  noise_.fill(std::span(bytes).subspan(said.ulaw.size()));
  if (said.digit != 0) send([&](std::string& out) { sender_.dtmf(out, said.digit); });
  send([&](std::string& out) { sender_.media(out, frame * 20, bytes); });
  ++result_.frames_sent;
  if (plan_.keep_tracks) result_.caller_track.insert(result_.caller_track.end(), bytes.begin(), bytes.end());
  if (!talk_->done()) return true;
  if (!done_at_) done_at_ = now;
  return now - *done_at_ < kLinger;
}

void LiveCall::hang_up() {
  if (!socket_->is_open()) return;
  hanging_up_ = true;
  if (plan_.hang_up_abruptly) return socket_->abort();
  send([this](std::string& out) { sender_.stop(out); });
  socket_->close(1000);
}

// ---- what the gateway tells
// -------------------------------------------------------------------------------------------

net::Awaitable<void> LiveCall::watch_loop() {
  net::Timer timer(loop_.executor());
  int failures = 0;
  while (failures < kAdminTries) {
    timer.expires_after(kPoll);
    auto [error] = co_await timer.async_wait(net::kTuple);
    if (error) co_return;
    GatewayCall told = co_await ask_gateway(loop_, plan_.admin, plan_.admin_token, plan_.call_id);
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) co_return;
    failures = told.reachable ? 0 : failures + 1;
    result_.gateway.reachable = told.reachable || failures < kAdminTries;
    if (told.live) note_gateway(std::move(told));
  }
}

void LiveCall::note_gateway(GatewayCall told) {
  result_.gateway = std::move(told);
  talk_->set_reply_over(reply_over_at_gateway());
}

bool LiveCall::reply_over_at_gateway() const {
  const std::vector<int> owner = assign_turns(result_);
  bool any = false;
  for (std::size_t i = 0; i < owner.size(); ++i) {
    if (owner[i] != talk_->current()) continue;
    if (!result_.gateway.turns[i].over) return false;
    any = true;
  }
  return any;
}

net::Awaitable<void> LiveCall::read_record() {
  const Instant deadline = Clock::now() + kRecordPatience;
  net::Timer timer(loop_.executor());
  while (Clock::now() < deadline) {
    GatewayCall told = co_await ask_gateway(loop_, plan_.admin, plan_.admin_token, plan_.call_id);
    const bool complete = told.found && !told.live && !told.outcome.empty();
    if (complete || (told.found && told.live)) result_.gateway = std::move(told);
    if (complete || !result_.gateway.reachable) co_return;
    timer.expires_after(kPoll);
    co_await timer.async_wait(net::kTuple);
  }
}

void LiveCall::progress() {
  if (observer_ != nullptr) observer_->on_progress(result_);
}

}  // namespace

const char* to_string(CallOutcome outcome) {
  switch (outcome) {
    case CallOutcome::completed:
      return "completed";
    case CallOutcome::no_gateway:
      return "no_gateway";
    case CallOutcome::refused:
      return "refused";
    case CallOutcome::bad_url:
      return "bad_url";
    case CallOutcome::cut:
      break;
  }
  return "cut";
}

std::string media_url(const CallPlan& plan) {
  std::string url = plan.url;
  const std::size_t scheme = url.find("://");
  const std::size_t path = scheme == std::string::npos ? std::string::npos : url.find('/', scheme + 3);
  if (path != std::string::npos && path + 1 < url.size()) return url;
  if (path != std::string::npos) url.pop_back();
  url += "/v1/realtime/" + text::percent_encode(plan.call_id);
  if (!plan.agent.empty()) url += "?agent=" + text::percent_encode(plan.agent);
  return url;
}

std::vector<int> assign_turns(const CallResult& result) {
  std::vector<int> owner;
  for (const GatewayTurn& turn : result.gateway.turns) {
    int found = -1;
    for (std::size_t i = 0; i < result.turns.size(); ++i) {
      const auto& onset = result.turns[i].onset;
      if (onset && to_ms(*onset) - kOnsetSlackMs <= turn.at_ms) found = static_cast<int>(i);
    }
    owner.push_back(found);
  }
  return owner;
}

net::Awaitable<CallResult> place_call(net::Loop& loop, CallPlan plan, CallObserver* observer) {
  LiveCall call(loop, std::move(plan), observer);
  co_await call.run();
  co_return call.take();
}

}  // namespace voxgate::sim
