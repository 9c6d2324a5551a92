#include "voxgate/engines/recogniser.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engines/listening_core.hpp"
#include "engines/recogniser_impl.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::engines {

using vendors::AsrEvent;

namespace {

bool is_supported(const audio::AudioFormat& wire) {
  return wire.rate_hz == 8000 || wire.rate_hz == 16000;
}

/// 1 minus the word error rate between two texts, at least 0 (edit distance by words).
double word_agreement(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const std::size_t longest = std::max(a.size(), b.size());
  if (longest == 0) return 1.0;
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return 1.0 - static_cast<double>(row[b.size()]) / static_cast<double>(longest);
}

/// The loop's handle on a ListeningCore.
class EmbeddedAsrStream final : public vendors::AsrStream {
 public:
  EmbeddedAsrStream(std::shared_ptr<Recogniser::Impl> home, std::shared_ptr<ListeningCore> core,
                    audio::AudioFormat wire, vendors::EventSink<AsrEvent> sink)
      : home_(std::move(home)), core_(std::move(core)), sink_(std::move(sink)) {
    caps_.wire = wire;
    caps_.gated = true;
    caps_.doubtful_partials = true;
    ++home_->streams;
  }
  ~EmbeddedAsrStream() override {
    --home_->streams;
    core_->close();
  }

  const vendors::AsrCaps& caps() const override { return caps_; }
  void expect(const vendors::Expectation& expectation) override {
    if (!aborted_) core_->expect(expectation);
  }
  void audio(std::span<const std::uint8_t> bytes) override {
    if (!aborted_) core_->audio(bytes);
  }
  void force_end_of_turn() override {
    if (!aborted_) core_->end_turn();
  }
  void discard_turn() override {
    if (!aborted_) core_->discard_turn();
  }
  void keepalive_tick() override {
    if (!aborted_) core_->wake();
  }
  void finish() override {
    if (!aborted_) core_->finish();
  }
  void abort() override {
    if (std::exchange(aborted_, true)) return;
    const bool told = core_->is_closed();
    core_->close();
    const auto sink = sink_;  // the stream may be destroyed by what it is told
    if (!told) sink(vendors::AsrClosed{});
  }

 private:
  std::shared_ptr<Recogniser::Impl> home_;
  std::shared_ptr<ListeningCore> core_;
  vendors::EventSink<AsrEvent> sink_;
  vendors::AsrCaps caps_;
  bool aborted_ = false;
};

}  // namespace

Judgement judge(const Decoder::Final& result, bool gated, double threshold) {
  if (result.text.empty()) return {result.gate_text.empty() ? 0.0 : 0.2, true};
  if (!gated) return {0.7, false};
  const double margin = (result.gate_score - threshold) / std::max(1.0, std::abs(threshold));
  const auto words = text::words(result.text), gate_words = text::words(result.gate_text);
  const double agreement = word_agreement(words, gate_words);
  // The grammar made a short sentence of a long one that it does not have, out of words the agent knows.
  if (gate_words.size() >= words.size() + 3 && agreement < 0.4) return {0.3, true};
  if (result.gate_skipped) return {std::clamp(0.5 + margin, 0.5, 1.0), false};
  // Two models that hear the same words are right more often than one of them alone.
  const double confidence = std::clamp(0.5 + margin + 0.2 * (agreement - 0.5), 0.0, 1.0);
  return {confidence, confidence < 0.5};
}

std::unique_ptr<Decoder> Recogniser::Impl::acquire(const std::shared_ptr<const Knowledge>& wanted) {
  return acquire_or_wait(wanted, nullptr);
}

std::unique_ptr<Decoder> Recogniser::Impl::acquire_or_wait(const std::shared_ptr<const Knowledge>& wanted,
                                                           const std::shared_ptr<ListeningCore>& core) {
  std::unique_ptr<Decoder> stale;
  {
    std::lock_guard lock(mutex);
    const auto fits = [&](const auto& decoder) { return decoder->knowledge() == wanted.get(); };
    const auto it = std::find_if(idle.rbegin(), idle.rend(), fits);
    if (it != idle.rend()) {
      auto decoder = std::move(*it);
      idle.erase(std::next(it).base());
      ++in_use;
      return decoder;
    }
    if (made < config.max_decoders) {
      ++made;
    } else if (!idle.empty()) {
      stale = std::move(idle.front());  // made for agents as they were before a reload
      idle.erase(idle.begin());
    } else {
      if (core != nullptr && !std::exchange(core->queued, true)) waiters.push_back(core);
      return nullptr;
    }
    ++in_use;
  }
  stale.reset();
  try {
    return std::make_unique<Decoder>(wanted, config.model_dir);
  } catch (...) {
    std::lock_guard lock(mutex);
    --made;
    --in_use;
    throw;
  }
}

void Recogniser::Impl::give_back(std::unique_ptr<Decoder> decoder) {
  std::unique_ptr<Decoder> stale;
  {
    std::lock_guard lock(mutex);
    --in_use;
    if (decoder->knowledge() == knowledge.get()) {
      idle.push_back(std::move(decoder));
    } else {
      --made;
      stale = std::move(decoder);
    }
  }
  stale.reset();
  wake_next();
}

void Recogniser::Impl::wake_next() {
  std::shared_ptr<ListeningCore> next;
  {
    std::lock_guard lock(mutex);
    if (idle.empty() && made >= config.max_decoders) return;
    while (!waiters.empty() && next == nullptr) {
      next = waiters.front().lock();
      waiters.pop_front();
    }
    if (next == nullptr) return;
    next->queued = false;
  }
  next->wake();
}

std::shared_ptr<const Knowledge> Recogniser::Impl::current() const {
  std::lock_guard lock(mutex);
  return knowledge;
}

Recogniser::Recogniser(RecogniserConfig config, Submit submit, metrics::Registry* registry)
    : impl_(std::make_shared<Impl>(std::move(config), std::move(submit))) {
  if (registry == nullptr) return;
  // The registry may outlive the recogniser: it holds the numbers, not the object.
  const std::weak_ptr<Impl> weak = impl_;
  const auto read = [weak](auto member, double unit = 1.0) {
    return [weak, member, unit]() -> double {
      const auto impl = weak.lock();
      return impl == nullptr ? 0.0 : unit * static_cast<double>(((*impl).*member).load());
    };
  };
  registry->gauge_fn("voxgate_recogniser_streams", "Open streams of the embedded recogniser", {}, read(&Impl::streams));
  registry->gauge_fn("voxgate_recogniser_decoders_in_use", "Decoders that are hearing a caller", {},
                     read(&Impl::in_use));
  registry->counter_fn("voxgate_recogniser_turns_total", "Turns the embedded recogniser has ended", {},
                       read(&Impl::turns));
  registry->counter_fn("voxgate_recogniser_rejected_total", "Turns it did not understand", {}, read(&Impl::rejected));
  registry->counter_fn("voxgate_recogniser_dropped_audio_seconds_total", "Audio it could not keep up with", {},
                       read(&Impl::dropped_audio_ms, 1e-3));
  registry->counter_fn("voxgate_recogniser_refused_jobs_total", "Jobs its worker pool had no room for", {},
                       read(&Impl::refused_jobs));
}

Recogniser::~Recogniser() = default;

void Recogniser::load(std::vector<vendors::AgentSpeech> agents) {
  auto fresh = std::make_shared<const Knowledge>(impl_->config, std::move(agents));
  {
    // One decoder is made at once: what its library refuses is a mistake of this load, not of the first call.
    auto probe = std::make_unique<Decoder>(fresh, impl_->config.model_dir);
    for (const auto& [name, agent] : fresh->agents()) {
      for (const auto& [state, grammar] : agent->grammars) {
        if (!probe->start(*agent, *grammar, kTelephoneMean)) throw std::runtime_error(probe->error());
        probe->drop();
      }
      if (!probe->start(*agent, *agent->everything, kTelephoneMean)) throw std::runtime_error(probe->error());
      probe->drop();
    }
    std::vector<std::unique_ptr<Decoder>> old;
    std::lock_guard lock(impl_->mutex);
    impl_->knowledge = std::move(fresh);
    impl_->made -= impl_->idle.size();
    old.swap(impl_->idle);
    impl_->idle.push_back(std::move(probe));
    ++impl_->made;
  }
}

bool Recogniser::knows(const std::string& agent) const {
  const auto knowledge = impl_->current();
  return knowledge != nullptr && knowledge->agent(agent) != nullptr;
}

std::unique_ptr<vendors::AsrStream> Recogniser::open(const std::string& agent, audio::AudioFormat wire, Post post,
                                                     vendors::EventSink<AsrEvent> sink) {
  auto knowledge = impl_->current();
  const AgentKnowledge* known = knowledge == nullptr ? nullptr : knowledge->agent(agent);
  if (known == nullptr || !is_supported(wire)) return nullptr;
  auto core = std::make_shared<ListeningCore>(impl_, std::move(knowledge), *known, wire, std::move(post), sink);
  return std::make_unique<EmbeddedAsrStream>(impl_, std::move(core), wire, std::move(sink));
}

Recogniser::Heard Recogniser::recognise(const std::string& agent, const std::string& grammar,
                                        std::span<const std::int16_t> pcm, int rate_hz) {
  const auto knowledge = impl_->current();
  const AgentKnowledge* known = knowledge == nullptr ? nullptr : knowledge->agent(agent);
  if (known == nullptr) throw std::runtime_error("the recogniser does not know the agent '" + agent + "'");
  vendors::Expectation expectation;
  expectation.grammar = grammar;
  std::string warning;
  const auto wanted = knowledge->grammar_for(*known, expectation, warning);
  Decoder decoder(knowledge, impl_->config.model_dir);
  if (!decoder.start(*known, *wanted, kTelephoneMean)) throw std::runtime_error(decoder.error());
  TelephoneBand band({audio::Encoding::s16le, rate_hz});
  const std::size_t frame = static_cast<std::size_t>(rate_hz) / 50;
  while (!pcm.empty()) {
    const auto piece = pcm.first(std::min(frame, pcm.size()));
    pcm = pcm.subspan(piece.size());
    decoder.feed(band.convert(piece));
  }
  const Decoder::Final result = decoder.finish(kNoShortCut);
  const Judgement judgement = judge(result, wanted->in_domain, impl_->config.gate_threshold);
  return {judgement.rejected && !result.gate_text.empty() ? result.gate_text : result.text, judgement.confidence,
          result.gate_score, result.gate_text, result.words};
}

void Recogniser::prewarm(std::size_t decoders) {
  const auto knowledge = impl_->current();
  if (knowledge == nullptr) return;
  std::vector<std::unique_ptr<Decoder>> made;
  while (made.size() < decoders) {
    auto decoder = impl_->acquire(knowledge);
    if (decoder == nullptr) break;
    made.push_back(std::move(decoder));
  }
  for (auto& decoder : made) impl_->give_back(std::move(decoder));
}

void Recogniser::trim(std::size_t keep) {
  std::vector<std::unique_ptr<Decoder>> surplus;
  std::lock_guard lock(impl_->mutex);
  while (impl_->idle.size() > keep) {
    surplus.push_back(std::move(impl_->idle.front()));
    impl_->idle.erase(impl_->idle.begin());
    --impl_->made;
  }
}

Recogniser::Stats Recogniser::stats() const {
  Stats out;
  std::lock_guard lock(impl_->mutex);
  out.streams = impl_->streams;
  out.decoders = impl_->made;
  out.decoders_in_use = impl_->in_use;
  out.waiting = impl_->waiters.size();
  out.turns = impl_->turns;
  out.rejected = impl_->rejected;
  out.dropped_audio_ms = impl_->dropped_audio_ms;
  out.refused_jobs = impl_->refused_jobs;
  return out;
}

}  // namespace voxgate::engines
