#include "voxgate/call/ears.hpp"

#include <algorithm>
#include <cstring>

#include "voxgate/audio/g711.hpp"

namespace voxgate::call {

Ears::Ears(CallSlot& slot, const EarsConfig& config, EarsListener& listener)
    : slot_(slot), config_(config), listener_(listener) {
  audio::FeedConfig feed;
  feed.format = config.format;
  feed.may_reorder = config.may_reorder;
  slot_.feed.reset(feed);
  audio::VadConfig vad;
  vad.format = config.format;
  vad.dtmf = config.inband_dtmf;
  slot_.vad.reset(vad);
}

void Ears::on_audio(const carriers::MediaAudio& audio, Instant now) {
  last_arrival_ = now;
  ++frames_in_;
  ++arrivals_;
  const std::uint32_t seq = audio.chunk != 0 ? audio.chunk : arrivals_;
  std::uint32_t ts = byte_clock_;
  if (audio.timestamp_ms >= 0) {
    ts = static_cast<std::uint32_t>(audio.timestamp_ms * config_.format.rate_hz / 1000);
  }
  network_.on_frame(now, config_.format.duration_of_samples(ts));
  byte_clock_ += static_cast<std::uint32_t>(config_.format.samples_in(audio.bytes.size()));
  slot_.feed.push(now, seq, ts, audio.bytes, *this);
}

double Ears::missing_share() const {
  const auto& feed = slot_.feed.stats();
  const double gaps = static_cast<double>(feed.concealed_samples + feed.silence_samples);
  const double all = static_cast<double>(slot_.vad.now().count()) * config_.format.rate_hz / 1e6;
  return all > 0 ? std::min(1.0, gaps / all) : 0.0;
}

void Ears::hear(std::span<const std::uint8_t> wire) {
  if (config_.pre_roll.count() != 0) {
    const std::size_t keep = config_.format.bytes_for(config_.pre_roll);
    slot_.pre_roll.push(wire.last(std::min(wire.size(), keep)));
    if (slot_.pre_roll.size() > keep) slot_.pre_roll.drop(slot_.pre_roll.size() - keep);
  }
  listener_.on_caller_audio(wire);
  slot_.vad.push(wire, [this](const audio::VadFrame& frame) { listener_.on_vad_frame(frame); });
}

void Ears::play(std::uint32_t, std::span<const std::uint8_t> payload) {
  hear(payload);
}

// Recognisers dislike digital silence: gaps are filled with noise at -70 dBFS. A gap this short is not worth a pitch
// repetition for them, and no person listens here.
void Ears::conceal(std::uint32_t, std::uint32_t samples) {
  feed_noise(samples);
}

void Ears::silence(std::uint32_t, std::uint32_t samples, std::uint32_t feed_samples) {
  const std::uint32_t fed = std::min(samples, feed_samples);
  feed_noise(fed);
  if (samples > fed) {
    slot_.vad.skip(samples - fed, [this](const audio::VadFrame& frame) { listener_.on_vad_frame(frame); });
  }
}

void Ears::dropped(std::uint32_t, std::uint32_t, audio::DropReason) {}  // counted by the feed buffer

void Ears::feed_noise(std::uint32_t samples) {
  audio::ComfortNoise noise(-70.0, ++noise_seed_);
  std::int16_t pcm[160];
  std::uint8_t wire[320];
  while (samples != 0) {
    const std::size_t n = std::min<std::size_t>(samples, 160);
    noise.fill({pcm, n});
    const std::size_t bytes = audio::encode(config_.format.encoding, {pcm, n}, wire);
    hear({wire, bytes});
    samples -= static_cast<std::uint32_t>(n);
  }
}

}  // namespace voxgate::call
