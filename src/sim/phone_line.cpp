#include "voxgate/sim/phone_line.hpp"

#include <algorithm>
#include <cstdlib>

#include "voxgate/audio/format.hpp"
#include "voxgate/audio/g711.hpp"

namespace voxgate::sim {
namespace {

constexpr std::uint64_t kJoinSamples = kLineRate / 5;  // sounds closer than 200 ms are one

const std::array<bool, 256>& audible() {
  static const std::array<bool, 256> table = [] {
    std::array<bool, 256> out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = std::abs(int{audio::g711::ulaw_to_linear(static_cast<std::uint8_t>(i))}) > kSoundLevel;
    }
    return out;
  }();
  return table;
}

}  // namespace

Instant PhoneLine::instant_of(std::uint64_t sample) const {
  return start_ + std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(sample * (1'000'000'000 / kLineRate)));
}

std::uint64_t PhoneLine::sample_at(Instant now) const {
  if (now <= start_) return 0;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now - start_).count();
  return static_cast<std::uint64_t>(ns) / (1'000'000'000 / kLineRate);
}

void PhoneLine::play(std::span<const std::uint8_t> bytes) {
  const auto& loud = audible();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!loud[bytes[i]]) continue;
    const std::uint64_t at = played_ + i;
    if (sounds_.empty() || at > sounds_.back().last + kJoinSamples) sounds_.push_back({at, at});
    sounds_.back().last = at;
  }
  if (keep_track_) track_.insert(track_.end(), bytes.begin(), bytes.end());
  played_ += bytes.size();
}

void PhoneLine::advance(Instant now) {
  const std::uint64_t target = sample_at(now);
  while (played_ < target && !queue_.empty()) {
    const std::span<const std::uint8_t> left = std::span(queue_.front()).subspan(head_);
    const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left.size(), target - played_));
    play(left.first(n));
    head_ += n;
    queued_ -= n;
    if (head_ < queue_.front().size()) continue;
    queue_.pop_front();
    head_ = 0;
  }
  if (played_ >= target) return;
  if (keep_track_) {
    track_.insert(track_.end(), static_cast<std::size_t>(target - played_), audio::kMulaw8k.silence_byte());
  }
  played_ = target;
}

void PhoneLine::media(Instant now, std::span<const std::uint8_t> bytes) {
  advance(now);
  if (bytes.empty()) return;
  queue_.emplace_back(bytes.begin(), bytes.end());
  queued_ += bytes.size();
}

void PhoneLine::mark(Instant now, std::string name) {
  advance(now);
  marks_.push_back({std::move(name), played_ + queued_});
}

std::size_t PhoneLine::clear(Instant now) {
  advance(now);
  const std::size_t lost = queued_;
  queue_.clear();
  head_ = queued_ = 0;
  for (Mark& mark : marks_) mark.due = std::min(mark.due, played_);
  return lost;
}

std::vector<std::string> PhoneLine::take_marks(Instant now) {
  advance(now);
  std::vector<std::string> due;
  while (!marks_.empty() && marks_.front().due <= played_) {
    due.push_back(std::move(marks_.front().name));
    marks_.pop_front();
  }
  return due;
}

std::optional<Instant> PhoneLine::next_mark() const {
  if (marks_.empty()) return std::nullopt;
  return instant_of(marks_.front().due);
}

bool PhoneLine::drained(Instant now) {
  advance(now);
  return queued_ == 0;
}

std::optional<Instant> PhoneLine::first_sound(Instant since) const {
  const std::uint64_t from = sample_at(since);
  const auto span = std::find_if(sounds_.begin(), sounds_.end(), [from](const Span& s) { return s.last >= from; });
  if (span == sounds_.end()) return std::nullopt;
  return instant_of(std::max(span->first, from));
}

std::optional<Instant> PhoneLine::last_sound() const {
  if (sounds_.empty()) return std::nullopt;
  return instant_of(sounds_.back().last);
}

}  // namespace voxgate::sim
