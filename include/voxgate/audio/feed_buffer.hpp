#pragma once
// The inbound feed path: what VAD, recogniser and recorder read. Puts frames in timestamp order, drops late and
// repeated ones, names the gaps; adds no delay to media that arrives in order. It is not a playout buffer.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "voxgate/audio/format.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::audio {

enum class DropReason : std::uint8_t {
  late,       // its place was already given up as a gap, or lies before the start
  duplicate,  // its place was already played
  overflow,   // more media than time allows: a sender that runs away
  jump,       // more than ten seconds off the expected place
};

/// Receives the ordered stream. Called inside push(), poll() and flush(); must not call the buffer back.
/// Pieces are contiguous: each one starts where the one before ended, except after a source reset.
class FeedSink {
 public:
  virtual ~FeedSink() = default;
  /// A frame in wire format. The bytes live until the call returns.
  virtual void play(std::uint32_t ts, std::span<const std::uint8_t> payload) = 0;
  /// A gap short enough (<= FeedConfig::conceal_limit) to be concealed.
  virtual void conceal(std::uint32_t ts, std::uint32_t samples) = 0;
  /// A longer gap: the media clock advances by `samples`; feed recognisers at most `feed_samples` of near-silence.
  virtual void silence(std::uint32_t ts, std::uint32_t samples, std::uint32_t feed_samples) = 0;
  virtual void dropped(std::uint32_t ts, std::uint32_t samples, DropReason reason) = 0;
};

struct FeedConfig {
  AudioFormat format = kMulaw8k;
  /// True where the carrier does not promise order. A frame after a hole then waits for the hole to fill; a frame whose
  /// sequence number follows the last one never waits, whatever its timestamp (the source paused, nothing is missing).
  bool may_reorder = false;
  Micros wait = 40ms;             // longest a frame is held for a hole before it
  std::size_t max_held = 16;      // frames held at once (at most kMaxHeld), and never more than ...
  Micros max_held_audio = 200ms;  // ... this much media
  Micros conceal_limit = 60ms;    // longer gaps are silence, not concealment
  Micros silence_feed = 200ms;    // most near-silence fed for one gap
  Micros jump = 10s;              // farther off than this is not a gap
  int jumps_to_reset = 3;         // so many far frames in a row are a new source clock
  Micros snap = 2ms;              // timestamps off by less than this are rounding (millisecond clocks), not gaps
  Micros burst =
      10s;  // most media (gaps included) accepted ahead of real time, so that a stall of this length loses nothing
};

struct FeedStats {
  std::uint64_t played = 0, late = 0, duplicate = 0, overflow = 0, jump = 0;  // frames
  std::uint64_t gaps = 0, resets = 0, held = 0;                               // events
  std::uint64_t concealed_samples = 0, silence_samples = 0;
};

/// Owner:   one call's slot; reset() between calls.
/// Threads: the call's loop only.
/// Memory:  a few hundred bytes; the hold area (200 ms of media) is allocated once, when a frame first has to wait, and
///          kept over reset(). An ordered stream never allocates.
/// Source:  the rules of a TCP media feed: media time is the only clock, except for how long a hole is waited for.
class FeedBuffer {
 public:
  static constexpr std::size_t kMaxHeld = 16;

  explicit FeedBuffer(const FeedConfig& config = {});
  ~FeedBuffer();
  FeedBuffer(FeedBuffer&&) noexcept;
  FeedBuffer& operator=(FeedBuffer&&) noexcept;

  /// One frame from the wire. `ts` counts media samples and wraps at 2^32; `seq` counts frames (senders without one:
  /// count arrivals). `payload` may have any length; a trailing part of a sample is ignored.
  void push(Instant now, std::uint32_t seq, std::uint32_t ts, std::span<const std::uint8_t> payload, FeedSink& sink);

  /// Releases frames that have waited long enough. Cheap when nothing is held.
  void poll(Instant now, FeedSink& sink) {
    if (held_count_ != 0) release_expired(now, sink);
  }

  /// When poll() has something to do next; nothing while no frame is held.
  std::optional<Instant> deadline() const;

  /// Releases everything held (end of the stream).
  void flush(FeedSink& sink);

  /// Back to the state after construction, with `config` for the next call.
  void reset(const FeedConfig& config) noexcept;
  void reset() noexcept { reset(FeedConfig(config_)); }

  std::size_t held() const { return held_count_; }
  const FeedStats& stats() const { return stats_; }
  const FeedConfig& config() const { return config_; }
  /// Timestamp expected next; meaningless before the first frame.
  std::uint32_t next_ts() const { return next_; }

 private:
  struct Held;
  struct Hold;
  struct Range {
    std::uint32_t from = 0, to = 0;
  };

  std::uint32_t samples(Micros d) const { return static_cast<std::uint32_t>(config_.format.samples_for(d)); }
  bool within_burst(Instant now, std::uint32_t n);
  bool is_next(std::uint32_t seq, std::uint32_t ts) const;
  bool handle_jump(std::int32_t d, std::uint32_t ts, std::uint32_t n, FeedSink& sink);
  void drop_behind(std::uint32_t ts, std::uint32_t n, FeedSink& sink);
  void emit_gap_to(std::uint32_t ts, FeedSink& sink);
  void emit_frame(std::uint32_t seq, std::uint32_t ts, std::span<const std::uint8_t> payload, FeedSink& sink);
  void hold(Instant now, std::uint32_t seq, std::uint32_t ts, std::span<const std::uint8_t> payload, FeedSink& sink);
  bool fits_hold(std::size_t bytes) const;
  void release_front(FeedSink& sink);
  void drain(FeedSink& sink);
  void release_expired(Instant now, FeedSink& sink);

  FeedConfig config_;
  std::unique_ptr<Hold> hold_;
  std::size_t held_count_ = 0;
  std::uint32_t next_ = 0;      // timestamp expected next
  std::uint32_t next_seq_ = 0;  // sequence number expected next
  std::uint32_t first_ts_ = 0;  // where this source clock started
  bool started_ = false;
  int jumps_ = 0;                // far frames in a row
  std::array<Range, 8> gaps_{};  // the last gaps given up: tells late from duplicate
  std::uint32_t gap_index_ = 0;
  Instant bucket_at_{};
  std::int64_t bucket_us_ = 0;  // media accepted ahead of real time
  FeedStats stats_;
};

}  // namespace voxgate::audio
