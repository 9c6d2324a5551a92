#include "voxgate/audio/feed_buffer.hpp"

#include <algorithm>
#include <cstring>

#include "voxgate/base/assert.hpp"

namespace voxgate::audio {

namespace {

std::int32_t distance(std::uint32_t from, std::uint32_t to) {
  return static_cast<std::int32_t>(to - from);
}

/// How fast the burst allowance refills: twice real time, so that a sender whose clock is a little fast never meets it.
constexpr std::int64_t kBurstRefill = 2;

}  // namespace

struct FeedBuffer::Held {
  std::uint32_t seq, ts;
  std::size_t bytes;
  Instant arrived;
};

/// Frames that wait, sorted by timestamp; their bytes lie in the same order, without holes.
struct FeedBuffer::Hold {
  std::array<Held, kMaxHeld> frames;
  std::unique_ptr<std::uint8_t[]> bytes;
  std::size_t capacity = 0, used = 0;

  void reserve(std::size_t wanted) {
    if (wanted <= capacity) return;
    bytes = std::make_unique_for_overwrite<std::uint8_t[]>(wanted);
    capacity = wanted;
  }
};

FeedBuffer::FeedBuffer(const FeedConfig& config) : config_(config) {
  config_.max_held = std::clamp<std::size_t>(config_.max_held, 1, kMaxHeld);
}
FeedBuffer::~FeedBuffer() = default;
FeedBuffer::FeedBuffer(FeedBuffer&&) noexcept = default;
FeedBuffer& FeedBuffer::operator=(FeedBuffer&&) noexcept = default;

void FeedBuffer::reset(const FeedConfig& config) noexcept {
  FeedBuffer fresh(config);
  fresh.hold_ = std::move(hold_);
  if (fresh.hold_) fresh.hold_->used = 0;
  *this = std::move(fresh);
}

void FeedBuffer::push(Instant now, std::uint32_t seq, std::uint32_t ts, std::span<const std::uint8_t> payload,
                      FeedSink& sink) {
  poll(now, sink);
  const auto n = static_cast<std::uint32_t>(config_.format.samples_in(payload.size()));
  if (n == 0) return;
  payload = payload.first(config_.format.bytes_of(n));
  if (!started_) {
    started_ = true;
    next_ = first_ts_ = ts;
    next_seq_ = seq;
    bucket_at_ = now;
  }
  const std::int32_t d = distance(next_, ts);
  if (!handle_jump(d, ts, n, sink)) return;
  const std::int32_t off = distance(next_, ts);  // handle_jump() may have moved `next_` to this frame
  const auto snap = static_cast<std::int32_t>(std::min(samples(config_.snap), n));
  if (off < 0 && off <= -snap) return drop_behind(ts, n, sink);
  if (!within_burst(now, n + static_cast<std::uint32_t>(std::max(off, 0)))) {
    ++stats_.overflow;
    sink.dropped(ts, n, DropReason::overflow);
    if (held_count_ == 0) next_ = ts + n;  // cut out: it is neither media nor a gap
    return;
  }
  if (off < snap || off == 0) {
    emit_frame(seq, ts, payload, sink);
    drain(sink);
  } else if (!config_.may_reorder || is_next(seq, ts)) {
    emit_gap_to(ts, sink);
    emit_frame(seq, ts, payload, sink);
    drain(sink);
  } else {
    hold(now, seq, ts, payload, sink);
  }
}

/// The source paused: no frame is missing before this one, only time.
bool FeedBuffer::is_next(std::uint32_t seq, std::uint32_t ts) const {
  return seq == next_seq_ && (held_count_ == 0 || distance(ts, hold_->frames[0].ts) > 0);
}

/// False: the frame is discarded. A new source clock is taken over after `jumps_to_reset` far frames in a row.
bool FeedBuffer::handle_jump(std::int32_t d, std::uint32_t ts, std::uint32_t n, FeedSink& sink) {
  const std::int64_t far = samples(config_.jump);
  if (d <= far && d >= -far) {
    jumps_ = 0;
    return true;
  }
  if (++jumps_ < config_.jumps_to_reset) {
    ++stats_.jump;
    sink.dropped(ts, n, DropReason::jump);
    return false;
  }
  flush(sink);
  jumps_ = 0;
  ++stats_.resets;
  gaps_.fill({});
  next_ = first_ts_ = ts;
  return true;
}

/// A leaky bucket on media time, gaps included: a stall of `burst` may arrive at once, a sender whose media runs away
/// from real time is cut.
bool FeedBuffer::within_burst(Instant now, std::uint32_t n) {
  if (now > bucket_at_) {
    const std::int64_t elapsed = std::chrono::duration_cast<Micros>(now - bucket_at_).count();
    bucket_us_ = std::max<std::int64_t>(0, bucket_us_ - elapsed * kBurstRefill);
    bucket_at_ = now;
  }
  const std::int64_t length = config_.format.duration_of_samples(n).count();
  if (bucket_us_ + length > config_.burst.count() && bucket_us_ != 0) return false;
  bucket_us_ += length;
  return true;
}

void FeedBuffer::drop_behind(std::uint32_t ts, std::uint32_t n, FeedSink& sink) {
  const bool given_up = std::any_of(gaps_.begin(), gaps_.end(), [ts](const Range& gap) {
    return gap.from != gap.to && distance(gap.from, ts) >= 0 && distance(ts, gap.to) > 0;
  });
  // Before the first frame nothing was played either: too late, not twice.
  const bool late = given_up || distance(first_ts_, ts) < 0;
  ++(late ? stats_.late : stats_.duplicate);
  sink.dropped(ts, n, late ? DropReason::late : DropReason::duplicate);
}

void FeedBuffer::emit_gap_to(std::uint32_t ts, FeedSink& sink) {
  const std::int32_t d = distance(next_, ts);
  if (d <= 0) return;
  const auto length = static_cast<std::uint32_t>(d);
  ++stats_.gaps;
  gaps_[gap_index_++ % gaps_.size()] = {next_, ts};
  if (length <= samples(config_.conceal_limit)) {
    stats_.concealed_samples += length;
    sink.conceal(next_, length);
  } else {
    stats_.silence_samples += length;
    sink.silence(next_, length, std::min(length, samples(config_.silence_feed)));
  }
  next_ = ts;
}

/// The frame's place is `next_`, give or take rounding.
void FeedBuffer::emit_frame(std::uint32_t seq, std::uint32_t ts, std::span<const std::uint8_t> payload,
                            FeedSink& sink) {
  ++stats_.played;
  next_ += static_cast<std::uint32_t>(config_.format.samples_in(payload.size()));
  next_seq_ = seq + 1;
  sink.play(ts, payload);
}

bool FeedBuffer::fits_hold(std::size_t bytes) const {
  return held_count_ < config_.max_held && hold_->used + bytes <= config_.format.bytes_for(config_.max_held_audio);
}

void FeedBuffer::hold(Instant now, std::uint32_t seq, std::uint32_t ts, std::span<const std::uint8_t> payload,
                      FeedSink& sink) {
  if (!hold_) hold_ = std::make_unique<Hold>();
  hold_->reserve(config_.format.bytes_for(config_.max_held_audio));
  const auto n = static_cast<std::uint32_t>(config_.format.samples_in(payload.size()));
  const auto already = std::span(hold_->frames).first(held_count_);
  if (std::any_of(already.begin(), already.end(), [ts](const Held& held) { return held.ts == ts; })) {
    ++stats_.duplicate;
    sink.dropped(ts, n, DropReason::duplicate);
    return;
  }
  while (held_count_ != 0 && !fits_hold(payload.size()) && distance(hold_->frames[0].ts, ts) > 0) {
    release_front(sink);
    drain(sink);
  }
  const std::int32_t d = distance(next_, ts);
  if (!fits_hold(payload.size()) || d <= 0) {  // too large to wait, or its turn has come
    if (d < 0) return drop_behind(ts, n, sink);
    emit_gap_to(ts, sink);
    emit_frame(seq, ts, payload, sink);
    return drain(sink);
  }
  std::size_t at = 0, offset = 0;
  while (at < held_count_ && distance(hold_->frames[at].ts, ts) > 0) offset += hold_->frames[at++].bytes;
  std::copy_backward(hold_->frames.begin() + static_cast<std::ptrdiff_t>(at),
                     hold_->frames.begin() + static_cast<std::ptrdiff_t>(held_count_),
                     hold_->frames.begin() + static_cast<std::ptrdiff_t>(held_count_ + 1));
  std::uint8_t* place = hold_->bytes.get() + offset;
  std::memmove(place + payload.size(), place, hold_->used - offset);
  std::memcpy(place, payload.data(), payload.size());
  hold_->frames[at] = {seq, ts, payload.size(), now};
  hold_->used += payload.size();
  ++held_count_;
  ++stats_.held;
}

/// Plays the first held frame, giving up the hole before it.
void FeedBuffer::release_front(FeedSink& sink) {
  VOXGATE_ASSERT(held_count_ != 0);
  const Held front = hold_->frames[0];
  const std::int32_t d = distance(next_, front.ts);
  const auto snap = static_cast<std::int32_t>(samples(config_.snap));
  const std::span<const std::uint8_t> payload(hold_->bytes.get(), front.bytes);
  if (d < 0 && d <= -snap) {
    drop_behind(front.ts, static_cast<std::uint32_t>(config_.format.samples_in(front.bytes)), sink);
  } else {
    if (d >= snap) emit_gap_to(front.ts, sink);
    emit_frame(front.seq, front.ts, payload, sink);
  }
  hold_->used -= front.bytes;
  std::memmove(hold_->bytes.get(), hold_->bytes.get() + front.bytes, hold_->used);
  std::copy(hold_->frames.begin() + 1, hold_->frames.begin() + static_cast<std::ptrdiff_t>(held_count_),
            hold_->frames.begin());
  --held_count_;
}

/// Plays held frames whose turn has come.
void FeedBuffer::drain(FeedSink& sink) {
  const auto snap = static_cast<std::int32_t>(samples(config_.snap));
  while (held_count_ != 0) {
    const std::int32_t d = distance(next_, hold_->frames[0].ts);
    const bool source_paused = hold_->frames[0].seq == next_seq_;  // no frame is missing before it
    if (d > 0 && d >= snap && !source_paused) return;
    release_front(sink);
  }
}

std::optional<Instant> FeedBuffer::deadline() const {
  if (held_count_ == 0) return std::nullopt;
  const auto frames = std::span(hold_->frames).first(held_count_);
  const auto oldest = std::min_element(frames.begin(), frames.end(),
                                       [](const Held& a, const Held& b) { return a.arrived < b.arrived; });
  return oldest->arrived + config_.wait;
}

void FeedBuffer::release_expired(Instant now, FeedSink& sink) {
  while (held_count_ != 0) {
    if (*deadline() > now) return;
    release_front(sink);
    drain(sink);
  }
}

void FeedBuffer::flush(FeedSink& sink) {
  while (held_count_ != 0) release_front(sink);
}

}  // namespace voxgate::audio
