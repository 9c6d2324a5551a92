#pragma once
// Playout: the agent's voice on its way to the phone. Paces audio so that the carrier's buffer stays short, knows what
// the caller has really heard, and can be stopped within one message.
//
// Three verbs, never confused:
//   hold()    empties the carrier's buffer, starts a new generation, keeps everything that was not heard
//   resume()  sends again from the heard position (back to a word or clause boundary, at most 300 ms)
//   cancel()  empties the carrier's buffer and drops everything
//
// Positions are bytes of audio since the call began, in the carrier's format. Invariant: base_ <= sent_ <= end_, where
// the ring holds [base_, end_); base_ trails the heard position by the rewind reserve. Sources: VOICE.md sections 4 and
// 5, telephony.md section 12 (rules 1-4), the generation scheme of its section 14.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "voxgate/base/ring.hpp"
#include "voxgate/base/time.hpp"
#include "voxgate/carriers/dialect.hpp"

namespace voxgate::call {

/// What the playout says to the carrier. Owner: the call's shell; called on the call's loop, never blocks.
class MediaPort {
 public:
  virtual ~MediaPort() = default;
  virtual void send_audio(std::span<const std::uint8_t> bytes) = 0;
  virtual void send_mark(std::string_view name) = 0;
  virtual void send_clear() = 0;
};

struct PlayoutConfig {
  Millis lead{160};            // audio kept ahead of the play position (100..400); also the first burst
  Millis message{40};          // length of one outbound message (20..200)
  Millis mark_every{1000};     // longest audio without a mark
  Millis rewind{300};          // most audio repeated by resume()
  Millis capacity{30000};      // most audio waiting; beyond it the push is refused
  Millis mark_patience{2000};  // a mark this late counts as played
};

/// Owner: one Call. Thread: the call's loop. No clock: every method takes `now`.
class Playout {
 public:
  using Position = std::int64_t;

  Playout(audio::AudioFormat format, const carriers::Capabilities& caps, const PlayoutConfig& config, MediaPort& port);

  /// Appends audio and sends at once what pacing allows. Returns the bytes taken: fewer only when the ring is full.
  std::size_t push(std::span<const std::uint8_t> bytes, Instant now);
  /// The position after everything pushed so far.
  Position end() const { return end_; }
  /// The position after everything sent so far.
  Position sent() const { return sent_; }
  /// A place where a re-send may begin (start of a word or clause).
  void add_boundary(Position position);
  /// Asks for a mark once everything pushed so far has been sent (end of a clause or utterance).
  void mark_here(Instant now);
  /// No more audio for the moment: the last part of a message is filled up and sent.
  void finish(Instant now);
  /// Sends `bytes` as they are, without pacing, ring or marks (the echo agent's way).
  void send_through(std::span<const std::uint8_t> bytes);

  void tick(Instant now) { pump(now); }

  /// The carrier returned a mark. Returns true if it moved the heard position.
  bool on_mark(std::string_view name, Instant now);

  void hold(Instant now);
  void resume(Instant now);
  /// Returns the heard position at which the audio was cut.
  Position cancel(Instant now);

  bool held() const { return held_; }
  /// What the caller has heard up to `now`: never behind the last mark, never beyond what was sent.
  Position heard(Instant now) const;
  /// True when everything pushed was heard, or must have been (350 ms after it was due).
  bool drained(Instant now) const;
  /// Copies audio from `from` on, as far as the ring still has it; for the echo reference. Returns the bytes copied.
  std::size_t copy_recent(Position from, std::span<std::uint8_t> out) const;
  /// Audio that was pushed and not yet sent.
  Millis unsent() const;

  struct Stats {
    std::uint64_t messages = 0, bytes = 0, underruns = 0, clears = 0;
    std::uint64_t marks_sent = 0, marks_played = 0, marks_cleared = 0, marks_stale = 0, marks_late = 0;
    std::uint64_t overflow_bytes = 0;
    Millis last_mark_delay{0};  // how much later than estimated the last mark came back: the path's delay
  };
  const Stats& stats() const { return stats_; }
  std::size_t allocated_bytes() const { return ring_.allocated(); }

 private:
  struct PendingMark {
    std::uint32_t number;
    Position position;
    Instant due;  // by our estimate
  };
  Duration duration_of(Position bytes) const;
  Position bytes_in(Duration d) const;
  Position paced(Instant now) const;
  void pump(Instant now);
  void send_until(Position limit, Instant now);
  void send_mark(Instant now);
  void expire_marks(Instant now);
  void forget_heard(Instant now);
  void clear_carrier(Instant now);
  bool can_send() const;
  Position message_bytes() const;

  audio::AudioFormat format_;
  const carriers::Capabilities& caps_;
  PlayoutConfig config_;
  MediaPort& port_;
  ByteRing ring_;
  std::string scratch_;

  Position base_ = 0, sent_ = 0, end_ = 0;
  Position marked_ = 0;                // position of the last mark sent
  std::vector<Position> mark_wanted_;  // clause ends not yet reached by sending
  std::vector<Position> clause_ends_;  // clause ends not yet heard: a resume marks them again
  std::vector<Position> boundaries_;
  std::vector<PendingMark> pending_;
  std::uint32_t generation_ = 1, mark_number_ = 0;
  bool held_ = false, finishing_ = false, playing_ = false;

  // Where the carrier is by the clock: at pace_time_ it began to play from pace_from_ without a break.
  Instant pace_time_{};
  Position pace_from_ = 0;
  // What was surely heard: a mark's position and when it came back.
  Instant heard_time_{};
  Position heard_from_ = 0;
  Instant last_due_{};  // when everything sent so far must have been played
  Stats stats_;
};

}  // namespace voxgate::call
