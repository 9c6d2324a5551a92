#pragma once
// The far end of a media stream as a carrier plays it: a buffer drained at 8000 samples a second, marks, clear.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "voxgate/base/time.hpp"

namespace voxgate::sim {

inline constexpr int kLineRate = 8000;             // samples a second, mu-law: one byte each
inline constexpr std::size_t kFrameSamples = 160;  // 20 ms
inline constexpr std::int16_t kSoundLevel = 320;   // |sample| above which somebody can be heard (-40 dBFS peak)

/// What the caller's ear gets. Sample n of the line plays at start + n / 8000 s, whether there is audio or not.
/// Source:  telephony.md section 1.5 (order of arrival, marks after what was queued before them, clear echoes them
/// all). Owner:   one simulated call. Threads: its loop. No clock is read: `now` never goes back.
class PhoneLine {
 public:
  /// `keep_track`: remember every sample that was played, for a recording.
  PhoneLine(Instant start, bool keep_track) : start_(start), keep_track_(keep_track) {}

  void media(Instant now, std::span<const std::uint8_t> bytes);
  void mark(Instant now, std::string name);
  /// Drops what is queued; every pending mark is due at once. Returns the samples that will never be heard.
  std::size_t clear(Instant now);

  /// Names to echo by `now`, in order; each once.
  std::vector<std::string> take_marks(Instant now);
  /// When the next mark falls due; nullopt when none waits.
  std::optional<Instant> next_mark() const;

  /// Plays up to `now`.
  void advance(Instant now);
  bool drained(Instant now);
  std::size_t queued_samples() const { return queued_; }

  /// The first moment at or after `since` in which the agent could be heard, so far.
  std::optional<Instant> first_sound(Instant since) const;
  /// The last such moment, so far.
  std::optional<Instant> last_sound() const;

  /// Played from the start on, silence included; empty unless kept.
  const std::vector<std::uint8_t>& track() const { return track_; }
  Instant start() const { return start_; }
  Instant instant_of(std::uint64_t sample) const;
  std::uint64_t sample_at(Instant now) const;

 private:
  struct Mark {
    std::string name;
    std::uint64_t due;  // sample of the line before which it is due
  };
  struct Span {
    std::uint64_t first, last;  // samples with sound
  };
  void play(std::span<const std::uint8_t> bytes);

  Instant start_;
  bool keep_track_;
  std::deque<std::vector<std::uint8_t>> queue_;
  std::size_t head_ = 0;    // samples of queue_.front() already played
  std::size_t queued_ = 0;  // samples
  std::uint64_t played_ = 0;
  std::deque<Mark> marks_;
  std::vector<Span> sounds_;
  std::vector<std::uint8_t> track_;
};

}  // namespace voxgate::sim
