#pragma once
// The caller's audio from the dialect to whoever listens: put in order, measured, and handed on.

#include <cstdint>
#include <memory>
#include <span>

#include "voxgate/audio/concealment.hpp"
#include "voxgate/audio/feed_buffer.hpp"
#include "voxgate/audio/network_quality.hpp"
#include "voxgate/audio/vad.hpp"
#include "voxgate/base/pool.hpp"
#include "voxgate/base/ring.hpp"
#include "voxgate/base/time.hpp"
#include "voxgate/carriers/dialect.hpp"

namespace voxgate::call {

/// What a call needs for its audio, taken from a pool and reset, never made for one call.
struct CallSlot {
  audio::FeedBuffer feed;
  audio::Vad vad;
  carriers::ParseScratch scratch;
  ByteRing pre_roll{16 * 300};  // 300 ms of the widest format (8 KB/s of mu-law takes 2.4 KB); allocated on first use
  void reset() noexcept {
    feed.reset();
    vad.reset();
    scratch.reset();
    pre_roll.clear();
  }
};

/// Receives the ordered audio. Called inside Ears; wire bytes live until the call returns.
class EarsListener {
 public:
  virtual ~EarsListener() = default;
  /// Audio in order, gaps filled: at most 60 ms concealed, of longer ones at most 200 ms near-silence.
  virtual void on_caller_audio(std::span<const std::uint8_t> wire) = 0;
  /// Every 20 ms of media, after the audio that completed it.
  virtual void on_vad_frame(const audio::VadFrame& frame) = 0;
};

struct EarsConfig {
  audio::AudioFormat format;
  bool may_reorder = false;
  bool inband_dtmf = false;
  Millis pre_roll{0};  // audio kept for listeners that join when speech starts; 0: none
};

/// Owner: one Call; thread: its loop. Does not allocate in steady state.
class Ears final : private audio::FeedSink {
 public:
  Ears(CallSlot& slot, const EarsConfig& config, EarsListener& listener);

  void on_audio(const carriers::MediaAudio& audio, Instant now);
  /// Releases what waited for its turn.
  void tick(Instant now) { slot_.feed.poll(now, *this); }

  /// Media time consumed.
  Micros media_now() const { return slot_.vad.now(); }
  /// The moment at which `media` was heard here: by the arrival of the newest audio.
  Instant instant_of(Micros media) const { return last_arrival_ - (slot_.vad.now() - media); }
  Instant last_arrival() const { return last_arrival_; }
  bool speaking() const { return slot_.vad.speaking(); }
  const audio::Vad& vad() const { return slot_.vad; }
  const audio::FeedStats& feed_stats() const { return slot_.feed.stats(); }
  /// Calls f(span) with the audio kept from before now, oldest first.
  template <class F>
  void replay_pre_roll(F&& f) {
    std::uint8_t chunk[320];
    for (std::size_t at = 0; at < slot_.pre_roll.size();) {
      const std::size_t n = slot_.pre_roll.peek(at, chunk);
      f(std::span<const std::uint8_t>(chunk, n));
      at += n;
    }
    slot_.pre_roll.clear();
  }

  std::uint64_t frames_in() const { return frames_in_; }
  const audio::NetworkQuality& network() const { return network_; }
  /// Share of the caller's audio that never came, 0 to 1.
  double missing_share() const;

 private:
  void play(std::uint32_t ts, std::span<const std::uint8_t> payload) override;
  void conceal(std::uint32_t ts, std::uint32_t samples) override;
  void silence(std::uint32_t ts, std::uint32_t samples, std::uint32_t feed_samples) override;
  void dropped(std::uint32_t ts, std::uint32_t samples, audio::DropReason reason) override;
  void hear(std::span<const std::uint8_t> wire);
  void feed_noise(std::uint32_t samples);

  CallSlot& slot_;
  EarsConfig config_;
  EarsListener& listener_;
  audio::NetworkQuality network_;
  Instant last_arrival_{};
  std::uint32_t arrivals_ = 0;
  std::uint32_t byte_clock_ = 0;  // samples so far, for carriers without timestamps
  std::uint64_t frames_in_ = 0;
  std::uint32_t noise_seed_ = 1;
};

}  // namespace voxgate::call
