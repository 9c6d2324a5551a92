#pragma once
// Voice activity on the media timeline: where the caller starts and stops speaking, and which keys are pressed.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "voxgate/audio/dtmf.hpp"
#include "voxgate/audio/format.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::audio {

struct VadConfig {
  AudioFormat format = kMulaw8k;  // 8 or 16 kHz
  int webrtc_mode = 2;            // 0 (lets most through) to 3
  int start_frames = 4;           // active frames ...
  int start_window = 5;           // ... among this many start speech
  Millis hang = 200ms;            // without an active frame ends it
  float onset_db = 9.0F;          // above the noise floor to be speech
  float sustain_db = 6.0F;        // the same once speech has started
  float min_db = -52.0F;          // quieter is never the start of speech ...
  float sustain_min_db = -58.0F;  // ... nor part of it
  float steady_db = 3.0F;         // levels that vary less than this over 400 ms are hum, tone or fan
  float noisy_floor_db = -58.0F;  // above this the line is noisy: bands are compared instead of the whole level
  float noisy_onset_db = 4.0F;    // mean excess of the three best bands that is speech
  float noisy_sustain_db = 2.5F;
  bool dtmf = true;         // detect keys, and keep their tones from being speech
  bool lazy_models = true;  // run the costly tests only on frames the level lets through
};

/// What one 20 ms frame of media was.
struct VadFrame {
  enum class Edge : std::uint8_t { none, start, stop };
  Micros end{0};       // media time at the end of the frame
  float db = -100.0F;  // level
  float floor_db = -100.0F;
  bool act = false;     // this frame alone looks like speech
  bool speech = false;  // state after this frame
  Edge edge = Edge::none;
  char digit = 0;  // key confirmed in this frame
};

/// WebRTC VAD and adaptive level and "not steady" and "not a touch tone"; 4 of 5 frames start, 200 ms stop. On a noisy
/// line six bands with their own floors stand in for the level, and where the background talks too, only what is about
/// as loud as the caller counts. Owner:   one call's slot; reset() between calls. Threads: the call's loop only.
/// Memory:  about 1 KB, plus 736 bytes (WebRTC VAD) and about 1 KB (key detector) allocated when the first loud frame
///          comes and kept over reset(). Nothing is allocated after that.
/// Cost:    0.1 us for a quiet frame (one table pass), 2.7 us for a loud one (decoded, both models), about 1 us for
/// steady
///          noise (bands).
/// Source:  levels and constants measured for telephone audio; the level is the variance of the frame.
class Vad {
 public:
  static constexpr Millis kFrame{20};

  explicit Vad(const VadConfig& config = {});
  ~Vad();
  Vad(Vad&&) noexcept;
  Vad& operator=(Vad&&) noexcept;

  /// Media in wire format, any length; `on_frame(const VadFrame&)` is called for every 20 ms completed.
  template <class F>
  void push(std::span<const std::uint8_t> wire, F&& on_frame) {
    if (fill_ != 0) {
      wire = wire.subspan(top_up(wire));
      if (fill_ < frame_bytes_) return;
      fill_ = 0;
      on_frame(step(std::span(partial_).first(frame_bytes_)));
    }
    for (; wire.size() >= frame_bytes_; wire = wire.subspan(frame_bytes_)) on_frame(step(wire.first(frame_bytes_)));
    top_up(wire);
  }

  /// `samples` of media that never came: the clock advances, nothing is learnt from it.
  template <class F>
  void skip(std::size_t samples, F&& on_frame) {
    std::size_t bytes = config_.format.bytes_of(samples);
    while (bytes != 0) {
      bytes -= fill_with_silence(bytes);
      if (fill_ < frame_bytes_) return;
      fill_ = 0;
      on_frame(step_gap());
    }
  }

  void reset(const VadConfig& config) noexcept;
  void reset() noexcept { reset(VadConfig(config_)); }

  bool speaking() const { return speaking_; }
  /// Media time consumed in whole frames.
  Micros now() const { return frames_ * Micros(kFrame); }
  /// End of the last active frame; zero before the first.
  Micros last_act() const { return last_act_; }
  /// Where the current or last speech began (before the frames that proved it).
  Micros speech_start() const { return speech_start_; }
  float floor_db() const { return floor_db_; }
  const VadConfig& config() const { return config_; }

 private:
  struct Models;
  static constexpr std::size_t kHistory = 20;  // frames = 400 ms

  VadFrame step(std::span<const std::uint8_t> wire);
  VadFrame step_gap();
  std::size_t top_up(std::span<const std::uint8_t> wire);
  std::size_t fill_with_silence(std::size_t bytes);
  void track_floor(float db);
  static bool is_steady(const std::array<float, kHistory>& levels, float range_db);
  bool looks_like_speech(std::span<const std::uint8_t> wire, VadFrame& frame);
  bool hears_key(std::span<const std::int16_t> pcm, VadFrame& frame);
  bool stands_out(float excess, float frame_db);
  void track_voice(const VadFrame& frame);
  Models& models();
  void decide(VadFrame& frame);

  VadConfig config_;
  std::unique_ptr<Models> models_;
  std::size_t frame_bytes_ = 160;
  std::size_t fill_ = 0;
  std::array<std::uint8_t, 640> partial_;  // a frame that came in pieces
  std::array<float, kHistory> levels_{}, excesses_{};
  std::int64_t frames_ = 0;
  std::int64_t levels_seen_ = 0;  // frames with a level (gaps have none)
  float floor_db_ = -75.0F;
  float voice_db_ = -100.0F;      // how loud the caller speaks
  std::uint32_t recent_act_ = 0;  // newest frame in bit 0
  bool speaking_ = false;
  int quiet_frames_ = 0;
  Micros last_act_{0}, speech_start_{0};
  Micros dtmf_until_{-1};
  int dtmf_linger_ = 0;  // frames the key detector still wants to see
};

}  // namespace voxgate::audio
