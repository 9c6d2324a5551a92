#include "voxgate/engines/voice.hpp"

#include <algorithm>

#include "engines/speaking_core.hpp"
#include "voxgate/audio/g711.hpp"

namespace voxgate::engines {

using vendors::TtsEvent;
using vendors::UtteranceId;

namespace {

class EmbeddedTtsStream final : public vendors::TtsStream {
 public:
  EmbeddedTtsStream(std::shared_ptr<Voice::Impl> home, std::shared_ptr<SpeakingCore> core, audio::AudioFormat wire)
      : home_(std::move(home)), core_(std::move(core)) {
    caps_.wire = wire;
    caps_.word_marks = true;
    ++home_->streams;
    core_->ready();
  }
  ~EmbeddedTtsStream() override {
    core_->silence();
    --home_->streams;
  }

  const vendors::TtsCaps& caps() const override { return caps_; }
  void begin(UtteranceId id) override { core_->begin(id); }
  void text(UtteranceId id, std::string_view text) override { core_->text(id, text); }
  void end(UtteranceId id) override { core_->end(id); }
  void flush(UtteranceId) override {}  // every text() is spoken at once
  void cancel(UtteranceId id) override { core_->cancel(id); }
  void keepalive_tick() override {}
  void close() override { core_->close(); }

 private:
  std::shared_ptr<Voice::Impl> home_;
  std::shared_ptr<SpeakingCore> core_;
  vendors::TtsCaps caps_;
};

bool is_supported(const audio::AudioFormat& wire) {
  return wire.rate_hz == 8000 || wire.rate_hz == 16000 || wire.rate_hz == 24000;
}

}  // namespace

bool Voice::Impl::synthesize(FliteVoice& voice, const std::string& text, const audio::AudioFormat& wire,
                             const Bytes& sink, ClauseAudio* kept) {
  audio::Resampler resampler(kVoiceRate, wire.rate_hz);
  std::vector<std::int16_t> pcm;
  std::size_t samples = 0;
  const auto convert = [&](std::span<const std::int16_t> piece, std::vector<vendors::TtsWord>* words) {
    pcm.clear();
    resampler.process(piece, pcm);
    samples += pcm.size();
    std::vector<std::uint8_t> bytes(pcm.size() * wire.bytes_per_sample());
    audio::encode(wire.encoding, pcm, bytes);
    if (kept != nullptr) {
      kept->bytes.insert(kept->bytes.end(), bytes.begin(), bytes.end());
      if (words != nullptr) kept->words = *words;
    }
    return sink(std::move(bytes), words);
  };
  bool whole = voice.say(text, config.duration_stretch, config.level_dbfs, convert);
  if (whole && resampler.delay() != 0) {
    // What the filter still holds: as much silence as it delays.
    const std::vector<std::int16_t> silence(resampler.delay() * static_cast<std::size_t>(kVoiceRate) /
                                            static_cast<std::size_t>(wire.rate_hz));
    whole = convert(silence, nullptr);
  }
  const auto ms = static_cast<std::uint64_t>(samples) * 1000 / static_cast<std::uint64_t>(wire.rate_hz);
  synthesised_ms += ms;
  if (kept != nullptr) kept->ms = static_cast<std::int64_t>(ms);
  return whole;
}

std::string Voice::Impl::cache_key(const std::string& voice, const audio::AudioFormat& wire, const std::string& text) {
  return voice + '|' + to_string(wire) + '|' + text;
}

Voice::Voice(VoiceConfig config, Submit submit, metrics::Registry* registry)
    : impl_(std::make_shared<Impl>(config, std::move(submit))) {
  if (registry == nullptr) return;
  const std::weak_ptr<Impl> weak = impl_;
  const auto read = [weak](auto get) {
    return [weak, get]() -> double {
      const auto impl = weak.lock();
      return impl == nullptr ? 0.0 : static_cast<double>(get(*impl));
    };
  };
  registry->gauge_fn("voxgate_voice_streams", "Open streams of the embedded voices", {},
                     read([](const Impl& i) { return i.streams.load(); }));
  registry->gauge_fn("voxgate_voice_cache_bytes", "Wire audio of clauses kept for the next call", {},
                     read([](const Impl& i) { return i.cache.stats().bytes; }));
  registry->counter_fn("voxgate_voice_cache_hits_total", "Clauses that did not need synthesis", {},
                       read([](const Impl& i) { return i.cache.stats().hits; }));
  registry->counter_fn("voxgate_voice_cache_misses_total", "Clauses that were synthesised for the cache", {},
                       read([](const Impl& i) { return i.cache.stats().misses; }));
  registry->counter_fn("voxgate_voice_synthesised_seconds_total", "Audio synthesised", {},
                       read([](const Impl& i) { return static_cast<double>(i.synthesised_ms.load()) / 1000; }));
  registry->counter_fn("voxgate_voice_refused_jobs_total", "Jobs the voices' worker pool had no room for", {},
                       read([](const Impl& i) { return i.refused_jobs.load(); }));
}

Voice::~Voice() = default;

std::vector<std::string> Voice::names() {
  return {"slt", "rms", "awb"};
}

bool Voice::has(std::string_view name) {
  const auto all = names();
  return std::find(all.begin(), all.end(), name) != all.end();
}

std::unique_ptr<vendors::TtsStream> Voice::open(const std::string& voice, audio::AudioFormat wire, Post post,
                                                vendors::EventSink<TtsEvent> sink) {
  FliteVoice* found = FliteVoice::find(voice);
  if (found == nullptr || !is_supported(wire)) return nullptr;
  auto core = std::make_shared<SpeakingCore>(impl_, *found, voice, wire, std::move(post), std::move(sink));
  return std::make_unique<EmbeddedTtsStream>(impl_, std::move(core), wire);
}

std::vector<std::int16_t> Voice::synthesize(const std::string& voice, std::string_view text) {
  std::vector<std::int16_t> out;
  FliteVoice* found = FliteVoice::find(voice);
  if (found == nullptr) return out;
  found->say(std::string(text), impl_->config.duration_stretch, impl_->config.level_dbfs,
             [&](std::span<const std::int16_t> pcm, std::vector<vendors::TtsWord>*) {
               out.insert(out.end(), pcm.begin(), pcm.end());
               return true;
             });
  return out;
}

void Voice::prepare(const std::string& voice, audio::AudioFormat wire, const std::vector<std::string>& clauses) {
  FliteVoice* found = FliteVoice::find(voice);
  if (found == nullptr || !is_supported(wire)) return;
  for (const std::string& clause : clauses) {
    if (!impl_->cacheable(clause)) continue;
    const std::string key = Impl::cache_key(voice, wire, clause);
    if (impl_->cache.find(key, [] {}).answer != ClauseCache::Answer::miss) continue;
    auto kept = std::make_shared<ClauseAudio>();
    impl_->synthesize(
        *found, clause, wire, [](std::vector<std::uint8_t>, std::vector<vendors::TtsWord>*) { return true; },
        kept.get());
    impl_->cache.put(key, std::move(kept));
  }
}

Voice::Stats Voice::stats() const {
  const ClauseCache::Stats cache = impl_->cache.stats();
  Stats out;
  out.streams = impl_->streams;
  out.cached_bytes = cache.bytes;
  out.cached_clauses = cache.clauses;
  out.hits = cache.hits;
  out.misses = cache.misses;
  out.evictions = cache.evictions;
  out.synthesised_ms = impl_->synthesised_ms;
  out.refused_jobs = impl_->refused_jobs;
  return out;
}

}  // namespace voxgate::engines
