#pragma once
// How well the network carries the caller's audio: interarrival jitter, stalls, and an estimate of what a listener
// would say.

#include <cstdint>

#include "voxgate/base/time.hpp"

namespace voxgate::audio {

/// The E-model's rating and opinion score for G.711. It knows delay and missing audio, nothing of the voice itself.
/// Source: ITU-T G.107 with the constants of G.113.
struct NetworkOpinion {
  double r = 0;    // 0 to 100
  double mos = 1;  // 1 to 4.5
};
/// `delay_ms`: one way, buffers included. `missing_percent`: of the audio, concealed or skipped. `concealed`: missing
/// audio was concealed rather than replaced by silence.
NetworkOpinion estimate_opinion(double delay_ms, double missing_percent, bool concealed);

/// Owner: one call's ears; thread: its loop. Memory: 64 bytes.
/// Source: RFC 3550 section 6.4.1 for the jitter; it hides the bursts of TCP, which the stalls show.
class NetworkQuality {
 public:
  static constexpr Millis kStall{100};

  /// One frame arrived; `media` is its own timestamp.
  void on_frame(Instant now, Micros media);

  double jitter_ms() const { return jitter_us_ / 1000.0; }
  /// Times in which nothing came for more than kStall beyond what the media time explains.
  std::uint32_t stalls() const { return stalls_; }
  Millis longest_stall() const { return std::chrono::duration_cast<Millis>(longest_stall_); }
  void reset() noexcept { *this = {}; }

 private:
  bool started_ = false;
  Instant last_arrival_{};
  Micros last_media_{0};
  double jitter_us_ = 0;
  std::uint32_t stalls_ = 0;
  Duration longest_stall_{};
};

}  // namespace voxgate::audio
