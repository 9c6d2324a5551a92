#include "voxgate/call/playout.hpp"

#include <algorithm>
#include <charconv>

namespace voxgate::call {
namespace {

constexpr Millis kGraceAfterDue{350};  // without marks back, speech counts as over this long after it was due

std::string mark_name(std::uint32_t generation, std::uint32_t number) {
  return 'g' + std::to_string(generation) + '-' + std::to_string(number);
}

// "g3-17" -> {3, 17}; anything else is not ours.
bool parse_mark(std::string_view name, std::uint32_t& generation, std::uint32_t& number) {
  if (name.size() < 4 || name[0] != 'g') return false;
  const char* end = name.data() + name.size();
  auto [dash, first_error] = std::from_chars(name.data() + 1, end, generation);
  if (first_error != std::errc() || dash == end || *dash != '-') return false;
  auto [stop, second_error] = std::from_chars(dash + 1, end, number);
  return second_error == std::errc() && stop == end;
}

// Removes the positions before `keep_from` from a sorted list.
void drop_before(std::vector<Playout::Position>& list, Playout::Position keep_from) {
  list.erase(list.begin(), std::lower_bound(list.begin(), list.end(), keep_from));
}

}  // namespace

Playout::Playout(audio::AudioFormat format, const carriers::Capabilities& caps, const PlayoutConfig& config,
                 MediaPort& port)
    : format_(format),
      caps_(caps),
      config_(config),
      port_(port),
      ring_(format.bytes_for_ms((config.capacity + config.rewind).count())) {
  config_.lead = std::min(config_.lead, caps.max_ahead);
}

Duration Playout::duration_of(Position bytes) const {
  return std::chrono::nanoseconds(bytes * 1'000'000'000 / static_cast<Position>(format_.bytes_per_second()));
}

Playout::Position Playout::bytes_in(Duration d) const {
  const auto samples =
      std::chrono::duration_cast<std::chrono::nanoseconds>(d).count() * format_.rate_hz / 1'000'000'000;
  return samples * static_cast<Position>(format_.bytes_per_sample());
}

Playout::Position Playout::paced(Instant now) const {
  if (!playing_) return sent_;
  return std::min(sent_, pace_from_ + bytes_in(now - pace_time_));
}

Playout::Position Playout::heard(Instant now) const {
  if (held_ || !playing_) return heard_from_;
  // A mark can come back later than the rewind reserve reaches: what is gone from the ring counts as heard.
  const Position by_clock = heard_from_ + bytes_in(std::max(now - heard_time_, Duration::zero()));
  return std::min(std::max({by_clock, heard_from_, base_}), sent_);
}

std::size_t Playout::push(std::span<const std::uint8_t> bytes, Instant now) {
  const std::size_t taken = ring_.push(bytes);
  end_ += static_cast<Position>(taken);
  stats_.overflow_bytes += bytes.size() - taken;
  finishing_ = false;
  pump(now);
  return taken;
}

void Playout::add_boundary(Position position) {
  if (!boundaries_.empty() && position <= boundaries_.back()) {
    const auto at = std::lower_bound(boundaries_.begin(), boundaries_.end(), position);
    if (at == boundaries_.end() || *at != position) boundaries_.insert(at, position);
    return;
  }
  boundaries_.push_back(position);
}

void Playout::mark_here(Instant now) {
  if (clause_ends_.empty() || clause_ends_.back() < end_) {
    mark_wanted_.push_back(end_);
    clause_ends_.push_back(end_);
  }
  pump(now);
}

void Playout::finish(Instant now) {
  finishing_ = true;
  const Position frame = static_cast<Position>(format_.bytes_for_ms(20));
  const Position tail = (end_ - sent_) % frame;
  if (tail != 0) {  // whole frames only: the last one is filled up with silence
    const std::string silence(static_cast<std::size_t>(frame - tail), static_cast<char>(format_.silence_byte()));
    end_ += static_cast<Position>(ring_.push({reinterpret_cast<const std::uint8_t*>(silence.data()), silence.size()}));
  }
  mark_here(now);
}

void Playout::send_through(std::span<const std::uint8_t> bytes) {
  ++stats_.messages;
  stats_.bytes += bytes.size();
  port_.send_audio(bytes);
}

Playout::Position Playout::message_bytes() const {
  return std::max<Position>(static_cast<Position>(format_.bytes_for_ms(config_.message.count())), 1);
}

// A whole message is there, or the last part of one that will not grow.
bool Playout::can_send() const {
  return end_ - sent_ >= message_bytes() || (sent_ < end_ && (finishing_ || !mark_wanted_.empty()));
}

void Playout::pump(Instant now) {
  if (held_) return;
  expire_marks(now);
  const bool starved = playing_ && paced(now) == sent_;
  if (can_send() && (!playing_ || starved)) {
    // The line was silent until now: what is sent next is heard from now on.
    if (starved && now - last_due_ > Millis{20}) ++stats_.underruns;
    playing_ = true;
    pace_time_ = heard_time_ = now;
    pace_from_ = sent_;
    heard_from_ = std::max(heard_from_, sent_);
  }
  if (can_send() || !mark_wanted_.empty()) send_until(std::min(end_, paced(now) + bytes_in(config_.lead)), now);
  forget_heard(now);
}

// Sends whole messages up to `limit`, marks in their places; less than a message only at the very end of the audio.
void Playout::send_until(Position limit, Instant now) {
  const Position message = message_bytes();
  const bool splits = caps_.out_multiple_bytes <= format_.bytes_per_sample();
  for (;;) {
    if (!mark_wanted_.empty() && mark_wanted_.front() <= sent_) {
      mark_wanted_.erase(mark_wanted_.begin());
      send_mark(now);
      continue;
    }
    Position next = sent_ + message;
    if (next > end_) {
      if (!finishing_ && mark_wanted_.empty()) return;  // wait for a whole message
      next = end_;
    }
    if (splits && !mark_wanted_.empty() && next > mark_wanted_.front()) next = mark_wanted_.front();
    if (next > limit || next == sent_) return;
    const std::size_t size = static_cast<std::size_t>(next - sent_);
    if (scratch_.size() < size) scratch_.resize(size);
    auto* bytes = reinterpret_cast<std::uint8_t*>(scratch_.data());
    ring_.peek(static_cast<std::size_t>(sent_ - base_), {bytes, size});
    port_.send_audio({bytes, size});
    sent_ = next;
    ++stats_.messages;
    stats_.bytes += size;
    last_due_ = pace_time_ + duration_of(sent_ - pace_from_);
    const bool one_comes = !mark_wanted_.empty() && duration_of(mark_wanted_.front() - sent_) < Millis{200};
    if (duration_of(sent_ - marked_) >= config_.mark_every && !one_comes) send_mark(now);
  }
}

void Playout::send_mark(Instant now) {
  if (!caps_.native_marks || sent_ == marked_) return;
  marked_ = sent_;
  pending_.push_back({++mark_number_, sent_, std::max(now, last_due_)});
  ++stats_.marks_sent;
  port_.send_mark(mark_name(generation_, mark_number_));
}

bool Playout::on_mark(std::string_view name, Instant now) {
  std::uint32_t generation = 0, number = 0;
  if (!parse_mark(name, generation, number) || generation != generation_ || held_) {
    ++stats_.marks_stale;
    return false;
  }
  bool moved = false;
  while (!pending_.empty() && pending_.front().number <= number) {
    const PendingMark& mark = pending_.front();
    ++stats_.marks_played;
    stats_.last_mark_delay = std::chrono::duration_cast<Millis>(now - mark.due);
    if (mark.position >= heard_from_) {
      heard_from_ = mark.position;
      heard_time_ = now;
      moved = true;
    }
    pending_.erase(pending_.begin());
  }
  if (!moved) ++stats_.marks_stale;
  pump(now);
  return moved;
}

void Playout::expire_marks(Instant now) {
  while (!pending_.empty() && now - pending_.front().due > config_.mark_patience) {
    ++stats_.marks_late;
    if (pending_.front().position > heard_from_) {
      heard_from_ = pending_.front().position;
      heard_time_ = now;
    }
    pending_.erase(pending_.begin());
  }
}

// Keeps the rewind reserve behind the heard position and lets go of the rest.
void Playout::forget_heard(Instant now) {
  const Position keep_from = std::min(heard(now), sent_) - bytes_in(config_.rewind);
  if (keep_from > base_) {
    ring_.drop(static_cast<std::size_t>(keep_from - base_));
    base_ = keep_from;
  }
  drop_before(boundaries_, base_);
  drop_before(clause_ends_, base_);
  if (sent_ == end_ && playing_ && drained(now)) {
    ring_.clear();
    ring_.shrink();
    base_ = heard_from_ = sent_;
    heard_time_ = now;
    boundaries_.clear();
    clause_ends_.clear();
    playing_ = false;
  }
}

bool Playout::drained(Instant now) const {
  if (held_ || sent_ != end_ || !mark_wanted_.empty()) return false;
  if (!playing_) return true;
  if (pending_.empty() && caps_.native_marks && heard_from_ >= sent_) return true;
  const bool waits_for_marks = caps_.native_marks && !pending_.empty();
  return now >= last_due_ + (waits_for_marks ? Duration(kGraceAfterDue) : Duration::zero());
}

std::size_t Playout::copy_recent(Position from, std::span<std::uint8_t> out) const {
  if (from < base_ || from >= end_) return 0;
  return ring_.peek(static_cast<std::size_t>(from - base_), out);
}

Millis Playout::unsent() const {
  return std::chrono::duration_cast<Millis>(duration_of(end_ - sent_));
}

void Playout::clear_carrier(Instant now) {
  const Position at = heard(now);
  // While playing always: heard() is an estimate, and a carrier that runs behind it would go on speaking.
  if (playing_ || at < sent_ || !pending_.empty()) {
    if (caps_.native_clear) port_.send_clear();
    ++stats_.clears;
  }
  stats_.marks_cleared += pending_.size();
  pending_.clear();
  ++generation_;
  heard_from_ = at;
  heard_time_ = now;
  sent_ = marked_ = at;
  playing_ = false;
}

void Playout::hold(Instant now) {
  if (held_) return;
  forget_heard(now);
  clear_carrier(now);
  held_ = true;
}

void Playout::resume(Instant now) {
  if (!held_) return;
  held_ = false;
  const Position earliest = std::max(base_, heard_from_ - bytes_in(config_.rewind));
  Position from = heard_from_;
  for (auto it = boundaries_.rbegin(); it != boundaries_.rend(); ++it) {
    if (*it <= heard_from_) {
      if (*it >= earliest) from = *it;
      break;
    }
  }
  sent_ = marked_ = heard_from_ = from;
  heard_time_ = now;
  // Clauses that end after the new position are marked again, in the new generation.
  mark_wanted_.assign(std::upper_bound(clause_ends_.begin(), clause_ends_.end(), sent_), clause_ends_.end());
  pump(now);
}

Playout::Position Playout::cancel(Instant now) {
  const Position at = heard(now);
  if (!held_) clear_carrier(now);
  held_ = finishing_ = playing_ = false;
  ring_.clear();
  ring_.shrink();
  mark_wanted_.clear();
  clause_ends_.clear();
  boundaries_.clear();
  base_ = sent_ = end_ = marked_ = heard_from_ = at;
  heard_time_ = now;
  return at;
}

}  // namespace voxgate::call
