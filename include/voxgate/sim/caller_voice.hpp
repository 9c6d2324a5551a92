#pragma once
// What a simulated caller says, as it leaves his telephone.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace voxgate::sim {

inline constexpr double kSpeechDbfs = -20.0;  // RMS of the spoken part
inline constexpr double kNoiseDbfs = -62.0;   // RMS of a quiet line; digital silence exists on no telephone

/// One utterance in mu-law, 8 kHz. Offsets are in samples (bytes).
struct Clip {
  std::vector<std::uint8_t> ulaw;
  std::size_t speech_begin = 0;  // first sample with speech energy
  std::size_t speech_end = 0;    // one behind the last; equal to speech_begin when nothing is spoken
};

/// Mu-law as it is, with its speech found by energy.
Clip clip_of_ulaw(std::vector<std::uint8_t> ulaw);

/// Recorded or synthetic speech as a telephone would carry it: 8 kHz, 200 to 3500 Hz (fourth-order Butterworth on
/// either side), brought to kSpeechDbfs, line noise beneath. Any rate.
Clip clip_of_pcm(std::span<const std::int16_t> pcm, int rate_hz, std::uint32_t seed = 1);

/// Endless line noise in frames, for when the caller is silent; cheap enough for thousands of callers.
class LineNoise {
 public:
  explicit LineNoise(std::uint32_t seed) : at_(seed) {}
  void fill(std::span<std::uint8_t> ulaw);

 private:
  std::size_t at_;
};

/// The caller's voice: flite, another speaker than the agent's. Threads: one at a time; say() blocks while it
/// synthesises (about 1 % of the length of the speech).
class CallerVoice {
 public:
  /// "rms", "awb" or "slt"; throws std::invalid_argument for another.
  explicit CallerVoice(std::string name);
  ~CallerVoice();
  CallerVoice(const CallerVoice&) = delete;
  CallerVoice& operator=(const CallerVoice&) = delete;

  /// Empty for a text without anything to say.
  Clip say(std::string_view text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxgate::sim
