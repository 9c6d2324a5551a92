#pragma once
// How loud our own voice may come back: the level below which the caller's line proves nothing while the agent speaks.

#include <array>
#include <cstddef>
#include <cstdint>

#include "voxgate/audio/far_end.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::audio {

struct EchoGateConfig {
  float margin_db = 4.0F;            // above the loudest echo seen
  float first_coupling_db = -24.0F;  // assumed before anything was learnt: 20 dB below what we play
  Millis learn = 600ms;              // of loud far end: everything heard in it is taken for echo
  float echo_correlation = 0.5F;     // of the envelopes, to believe that the line echoes at all
  float min_correlation = 0.75F;     // of the envelopes, to trust a measured delay
  float loud_db = -35.0F;            // quieter far ends teach nothing
  float above_floor_db = 6.0F;       // nearer to the caller's noise floor is no echo
};

/// Learns the coupling of the caller's line (level that comes back relative to the loudest of what we played in the
/// last 400 ms; once the envelopes show the delay, relative to what we played just then). A line without echo then lets
/// even a quiet caller interrupt, a loud speakerphone does not let the agent interrupt itself. Owner: one call, for its
/// whole length (what it learns holds over utterances). Threads: the call's loop. Memory: about 4 KB, fixed. Cost:
/// about 0.3 us per 20 ms while the agent is audible, next to nothing otherwise.
class EchoGate {
 public:
  explicit EchoGate(const EchoGateConfig& config = {}) : config_(config) { reset(); }

  /// One 20 ms frame: `far` up to date with it, `near_db` the caller's level and `floor_db` their noise floor (both
  /// from VadFrame). Returns the level up to which the frame may be echo; -100 when nothing was played.
  float step(const FarEndTracker& far, float near_db, float floor_db);

  /// What was learnt: level of the echo relative to the far end, dB.
  float coupling_db() const { return wide_.coupling_db; }
  EchoDelayEstimator::Estimate delay() const { return delay_; }
  void reset() noexcept;

 private:
  /// The loudest echo of the last four seconds, in blocks of half a second of loud far end. The newest three blocks do
  /// not count: they may be the caller who is just interrupting.
  struct Path {
    static constexpr std::size_t kBlocks = 11, kUnsure = 3;
    float coupling_db = 0.0F, learnt_db = 0.0F, block_db = 0.0F;
    int learnt_frames = 0, block_frames = 0;
    std::array<float, kBlocks> blocks;
    std::size_t count = 0;
    void restart(float first_coupling_db);
    /// Returns the limit for this frame, having learnt from it.
    /// `heard`: the near end stands out of its noise at all.
    float step(float far_db, float near_db, bool heard, bool line_echoes, const EchoGateConfig& config);
    void finish_block(bool line_echoes);
  };

  void look_for_delay(const FarEndTracker& far, float near_db);

  EchoGateConfig config_;
  EchoDelayEstimator correlator_;
  EchoDelayEstimator::Estimate delay_;
  Path wide_, narrow_;
  float correlation_ = 0.0F;
  int frames_ = 0;
};

}  // namespace voxgate::audio
