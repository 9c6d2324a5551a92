#include "engines/listening_core.hpp"

#include <algorithm>

#include "voxgate/base/text.hpp"

namespace voxgate::engines {

using vendors::AsrClosed;
using vendors::AsrEvent;
using vendors::AsrPartial;
using vendors::AsrTurnEnd;
using vendors::AsrWarning;

namespace {

/// First-pass scores this far above the gate's threshold are never out of domain (measured: those end 4 above it, nine
/// of ten sentences of a grammar lie beyond 8).
constexpr double kClearlyInside = 8.0;
constexpr std::size_t kMaxCommands = 256;  // beside audio, which is bounded by its length

/// Bytes of whole words that both texts begin with.
std::size_t common_words(const std::string& a, const std::string& b) {
  std::size_t end = 0;
  for (std::size_t i = 0; i <= a.size() && i <= b.size(); ++i) {
    const bool a_stops = i == a.size() || a[i] == ' ';
    const bool b_stops = i == b.size() || b[i] == ' ';
    if (a_stops && b_stops) end = i;
    if (i == a.size() || i == b.size() || a[i] != b[i]) break;
  }
  return end;
}

}  // namespace

ListeningCore::ListeningCore(std::shared_ptr<Recogniser::Impl> home, std::shared_ptr<const Knowledge> knowledge,
                             const AgentKnowledge& agent, audio::AudioFormat wire, Post post,
                             vendors::EventSink<AsrEvent> sink)
    : home_(std::move(home)),
      knowledge_(std::move(knowledge)),
      agent_(agent),
      wire_(wire),
      key_(home_->next_key.fetch_add(1)),
      post_(std::move(post)),
      sink_(std::move(sink)),
      band_(wire),
      grammar_(agent.everything) {}

ListeningCore::~ListeningCore() {
  if (decoder_ != nullptr) home_->give_back(std::move(decoder_));
}

// ---- the loop's half

void ListeningCore::expect(const vendors::Expectation& expectation) {
  push({turn_, expectation});
}

void ListeningCore::audio(std::span<const std::uint8_t> bytes) {
  if (bytes.empty() || ended_) return;
  heard_in_turn_ = true;
  {
    std::lock_guard lock(mutex_);
    const std::size_t limit = wire_.bytes_for_ms(home_->config.max_pending_audio.count());
    if (inbox_bytes_ + bytes.size() > limit) {
      home_->dropped_audio_ms += static_cast<std::uint64_t>(wire_.ms_in(bytes.size()));
      if (std::exchange(full_told_, true)) return;
    } else {
      full_told_ = false;
      inbox_bytes_ += bytes.size();
      auto* last = inbox_.empty() ? nullptr : std::get_if<Audio>(&inbox_.back().body);
      if (last != nullptr && inbox_.back().turn == turn_) {
        last->bytes.insert(last->bytes.end(), bytes.begin(), bytes.end());
      } else {
        inbox_.push_back({turn_, Audio{{bytes.begin(), bytes.end()}}});
      }
    }
  }
  if (full_told_) {
    deliver(AsrWarning{"audio_dropped", "the recogniser is too far behind; audio of this caller is dropped"}, 0);
    return;
  }
  wake();
}

void ListeningCore::end_turn() {
  if (ended_) return;
  const std::uint32_t turn = turn_++;
  const bool heard = std::exchange(heard_in_turn_, false);
  if (heard) {
    push({turn, End{}});
    return;
  }
  AsrTurnEnd empty;
  empty.turn = turn;
  empty.confidence = 0;
  deliver(std::move(empty), 0);
}

void ListeningCore::discard_turn() {
  if (ended_ || !heard_in_turn_) return;
  const std::uint32_t turn = turn_++;
  heard_in_turn_ = false;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(inbox_, [&](const Command& command) {
      const auto* audio = std::get_if<Audio>(&command.body);
      if (audio == nullptr || command.turn != turn) return false;
      inbox_bytes_ -= audio->bytes.size();
      return true;
    });
  }
  push({turn, Discard{}});
}

void ListeningCore::finish() {
  if (ended_) return;
  if (heard_in_turn_) end_turn();
  ended_ = true;
  push({turn_, Finish{}});
}

void ListeningCore::close() {
  closed_ = true;
  ended_ = true;
  sink_ = nullptr;
  {
    std::lock_guard lock(mutex_);
    inbox_.clear();
    inbox_bytes_ = 0;
  }
  wake();  // so that the decoder goes back now, not when the last reference goes
}

void ListeningCore::push(Command command) {
  {
    std::lock_guard lock(mutex_);
    if (inbox_.size() >= kMaxCommands && std::holds_alternative<vendors::Expectation>(command.body)) {
      std::erase_if(inbox_, [](const Command& c) { return std::holds_alternative<vendors::Expectation>(c.body); });
    }
    inbox_.push_back(std::move(command));
  }
  wake();
}

void ListeningCore::wake() {
  {
    std::lock_guard lock(mutex_);
    if (scheduled_) {
      again_ = true;
      return;
    }
    if (inbox_.empty() && !closed_) return;
    scheduled_ = true;
    again_ = false;
  }
  auto self = shared_from_this();
  if (home_->submit(key_, [self] { self->work(); })) return;
  {
    std::lock_guard lock(mutex_);
    scheduled_ = false;
  }
  ++home_->refused_jobs;
  refuse();
}

/// The worker pool has no room: audio stays in the inbox for the next try, but nobody may wait for an answer that no
/// job will give. Turns that have ended are answered as not understood.
void ListeningCore::refuse() {
  if (closed_) return;
  std::vector<std::uint32_t> ended;
  bool finished = false;
  {
    std::lock_guard lock(mutex_);
    for (const Command& command : inbox_) {
      if (std::holds_alternative<End>(command.body)) ended.push_back(command.turn);
      finished = finished || std::holds_alternative<Finish>(command.body);
    }
    if (ended.empty() && !finished) return;
    // The worker's half may be inside one of these turns: it must still be told to leave it.
    for (Command& command : inbox_) {
      if (std::holds_alternative<End>(command.body)) command.body = Discard{};
    }
    std::erase_if(inbox_, [&](const Command& command) {
      const auto* audio = std::get_if<Audio>(&command.body);
      const bool dead = audio != nullptr && std::find(ended.begin(), ended.end(), command.turn) != ended.end();
      if (dead) inbox_bytes_ -= audio->bytes.size();
      return dead || std::holds_alternative<Finish>(command.body);
    });
  }
  warn("overloaded", "the recogniser has no room for this turn");
  for (const std::uint32_t turn : ended) {
    AsrTurnEnd empty;
    empty.turn = turn;
    empty.confidence = 0;
    deliver(std::move(empty), 0);
  }
  if (finished) deliver(AsrClosed{}, 0);
}

/// `turn` other than 0: the event is dropped unless that turn is still the current one when it arrives.
void ListeningCore::deliver(AsrEvent event, std::uint32_t turn) {
  if (closed_) return;
  auto self = shared_from_this();
  auto shared = std::make_shared<AsrEvent>(std::move(event));
  post_([self, shared, turn] {
    if (!self->sink_ || (turn != 0 && turn != self->turn_)) return;
    if (std::holds_alternative<AsrClosed>(*shared) && std::exchange(self->closed_told_, true)) return;
    const auto sink = self->sink_;  // the stream may be destroyed by what it is told
    sink(std::move(*shared));
  });
}

void ListeningCore::warn(std::string code, std::string text) {
  deliver(AsrWarning{std::move(code), std::move(text)}, 0);
}

// ---- the worker's half

void ListeningCore::work() {
  for (;;) {
    Command command;
    {
      std::lock_guard lock(mutex_);
      if (closed_ || inbox_.empty()) {
        scheduled_ = false;
        break;
      }
      again_ = false;
      command = std::move(inbox_.front());
      inbox_.pop_front();
      if (const auto* audio = std::get_if<Audio>(&command.body)) inbox_bytes_ -= audio->bytes.size();
    }
    if (step(command)) continue;
    // Put it back in front; a decoder that is given back wakes this stream.
    std::lock_guard lock(mutex_);
    auto* audio = std::get_if<Audio>(&command.body);
    if (audio != nullptr) inbox_bytes_ += audio->bytes.size();
    inbox_.push_front(std::move(command));
    if (again_) continue;  // perhaps by the very decoder
    scheduled_ = false;
    return;
  }
  if (closed_) release();
  if (decoder_ == nullptr) home_->wake_next();  // it may have been woken for a decoder that it no longer needs
}

bool ListeningCore::step(Command& command) {
  if (auto* audio = std::get_if<Audio>(&command.body)) return hear(command.turn, audio->bytes);
  if (auto* expectation = std::get_if<vendors::Expectation>(&command.body)) {
    std::string warning;
    grammar_ = knowledge_->grammar_for(agent_, *expectation, warning);
    if (!warning.empty()) warn("grammar", warning);
  } else if (std::holds_alternative<End>(command.body)) {
    end(command.turn);
  } else if (std::holds_alternative<Discard>(command.body)) {
    release();
  } else {
    release();
    deliver(AsrClosed{}, 0);
  }
  return true;
}

bool ListeningCore::begin_turn() {
  try {
    decoder_ = home_->acquire_or_wait(knowledge_, shared_from_this());
  } catch (const std::exception& e) {
    vendors::Error error;
    error.message = e.what();
    deliver(AsrClosed{error}, 0);
    closed_ = true;
    return true;
  }
  if (decoder_ == nullptr) {
    if (!std::exchange(wait_told_, true)) warn("waiting", "every decoder is in use; the audio is kept");
    return false;
  }
  wait_told_ = false;
  in_turn_ = true;
  turn_bytes_ = since_partial_ = 0;
  last_text_.clear();
  band_.restart();
  if (!decoder_->start(agent_, *grammar_, mean_)) {
    warn("grammar", decoder_->error());
    grammar_ = agent_.everything;
    decoder_->start(agent_, *grammar_, mean_);
  }
  return true;
}

bool ListeningCore::hear(std::uint32_t turn, std::span<const std::uint8_t> bytes) {
  if (!in_turn_ && !begin_turn()) return false;
  const std::size_t frame = wire_.bytes_for_ms(20);
  const std::size_t partial_every = wire_.bytes_for_ms(home_->config.partial_every.count());
  const std::size_t max_turn = wire_.bytes_for_ms(home_->config.max_turn.count());
  while (!bytes.empty() && !closed_) {
    const auto piece = bytes.first(std::min(frame, bytes.size()));
    bytes = bytes.subspan(piece.size());
    if (turn_bytes_ >= max_turn) {
      home_->dropped_audio_ms += static_cast<std::uint64_t>(wire_.ms_in(piece.size()));
      continue;
    }
    turn_bytes_ += piece.size();
    since_partial_ += piece.size();
    decoder_->feed(band_.convert(piece));
    if (since_partial_ >= partial_every) {
      since_partial_ = 0;
      emit_partial(turn);
    }
  }
  return true;
}

void ListeningCore::emit_partial(std::uint32_t turn) {
  AsrPartial partial;
  partial.turn = turn;
  partial.text = decoder_->partial();
  if (partial.text.empty()) return;
  partial.stable_prefix_len = common_words(last_text_, partial.text);
  partial.complete = grammar_->phrases.match(text::words(partial.text)).has_value();
  last_text_ = partial.text;
  deliver(std::move(partial), turn);
}

void ListeningCore::end(std::uint32_t turn) {
  AsrTurnEnd out;
  out.turn = turn;
  out.confidence = 0;
  if (in_turn_) {
    const Decoder::Final result = decoder_->finish(home_->config.gate_threshold + kClearlyInside);
    const Judgement judgement = judge(result, grammar_->in_domain, home_->config.gate_threshold);
    out.confidence = judgement.confidence;
    out.text = judgement.rejected && !result.gate_text.empty() ? result.gate_text : result.text;
    if (!judgement.rejected) {
      out.words = result.words;
      mean_ = result.mean;  // what was not understood may have been noise: it does not adapt the model
    }
    out.end_ms = wire_.ms_in(turn_bytes_);
    if (judgement.rejected) ++home_->rejected;
  }
  ++home_->turns;
  deliver(std::move(out), 0);
  release();  // after the result is on its way: it may take the time of the gate's later passes
}

/// Leaves the turn; the decoder goes back to the pool.
void ListeningCore::release() {
  in_turn_ = false;
  if (decoder_ == nullptr) return;
  decoder_->drop();
  home_->give_back(std::move(decoder_));
}

}  // namespace voxgate::engines
