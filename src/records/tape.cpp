#include "records/tape.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "voxgate/audio/g711.hpp"

namespace voxgate::records {
namespace {

using audio::AudioFormat;
using audio::Encoding;

constexpr std::int64_t kWindowMs = 5000;        // how late the caller's audio or a cut may still come
constexpr std::int64_t kQuietCallerMs = 20000;  // how long the agent's clock waits for a caller who sends nothing
constexpr std::int64_t kMaxAheadMs = 60000;     // of the agent's audio beyond the newest stamp
constexpr std::int64_t kMaxCallMs = 8 * 3600 * 1000LL;  // a stamp beyond it is wrong, and would fill the disk
constexpr std::int64_t kSeamMs = 10;                    // closer than this to the write position means: continues it
constexpr std::size_t kMaxGaps = 64;                    // that can be taken back
constexpr std::size_t kBlockSamples = 8192;

std::array<std::uint8_t, 256> make_alaw_to_ulaw() {
  std::array<std::uint8_t, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = audio::g711::linear_to_ulaw(audio::g711::alaw_to_linear(static_cast<std::uint8_t>(i)));
  }
  return table;
}

}  // namespace

audio::WavFormat tape_format(AudioFormat caller, AudioFormat agent) {
  const bool companded = caller.encoding != Encoding::s16le && agent.encoding != Encoding::s16le;
  if (companded && caller.rate_hz == agent.rate_hz) return {{Encoding::mulaw, caller.rate_hz}, 2};
  return {{Encoding::s16le, std::max(caller.rate_hz, agent.rate_hz)}, 2};
}

SideCodec::SideCodec(AudioFormat from, AudioFormat to) : from_(from), to_(to), resampler_(from.rate_hz, to.rate_hz) {}

std::span<const std::uint8_t> SideCodec::convert(std::span<const std::uint8_t> wire) {
  wire = wire.first(from_.bytes_of(from_.samples_in(wire.size())));
  if (from_ == to_) return wire;
  if (to_.encoding == Encoding::mulaw) {  // from A-law at the same rate
    static const auto table = make_alaw_to_ulaw();
    out_.resize(wire.size());
    std::transform(wire.begin(), wire.end(), out_.begin(), [](std::uint8_t code) { return table[code]; });
    return out_;
  }
  samples_.resize(from_.samples_in(wire.size()));
  audio::decode(from_.encoding, wire, samples_);
  std::span<const std::int16_t> pcm = samples_;
  if (from_.rate_hz != to_.rate_hz) {
    resampled_.clear();
    resampler_.process(samples_, resampled_);
    pcm = resampled_;
  }
  out_.resize(to_.bytes_of(pcm.size()));
  audio::encode(to_.encoding, pcm, out_);
  return out_;
}

// ---- one side

void Track::append(std::span<const std::uint8_t> audio) {
  bytes_.insert(bytes_.end(), audio.begin(), audio.end());
}

void Track::pad_to(std::int64_t at) {
  if (at <= end()) return;
  gaps_.push_back({end(), at - end()});
  if (gaps_.size() > kMaxGaps) gaps_.pop_front();
  bytes_.resize(format_.bytes_of(static_cast<std::size_t>(at - base_)), format_.silence_byte());
}

void Track::cut(std::int64_t at) {
  at = std::max(at, base_);
  if (at >= end()) return;
  bytes_.resize(format_.bytes_of(static_cast<std::size_t>(at - base_)));
  while (!gaps_.empty() && gaps_.back().at >= at) gaps_.pop_back();
  if (!gaps_.empty()) gaps_.back().samples = std::min(gaps_.back().samples, at - gaps_.back().at);
}

std::int64_t Track::take_back(std::int64_t samples) {
  std::int64_t taken = 0;
  while (taken < samples && !gaps_.empty()) {
    Gap& gap = gaps_.back();
    const std::int64_t from = std::max(gap.at, base_);
    const std::int64_t here = std::min(gap.at + gap.samples - from, samples - taken);
    if (here <= 0) {
      gaps_.clear();  // already in the file, and so are all before it
      break;
    }
    const auto first =
        bytes_.begin() + static_cast<std::ptrdiff_t>(format_.bytes_of(static_cast<std::size_t>(from - base_)));
    bytes_.erase(first, first + static_cast<std::ptrdiff_t>(format_.bytes_of(static_cast<std::size_t>(here))));
    gap.samples -= here;
    taken += here;
    if (gap.at + gap.samples <= from) gaps_.pop_back();
  }
  return taken;
}

void Track::copy(std::int64_t at, std::span<std::uint8_t> out, std::size_t stride_bytes) const {
  const std::size_t width = format_.bytes_per_sample();
  for (std::size_t to = 0; to + width <= out.size(); to += stride_bytes, ++at) {
    if (at >= base_ && at < end()) {
      std::memcpy(out.data() + to, bytes_.data() + format_.bytes_of(static_cast<std::size_t>(at - base_)), width);
    } else {
      std::fill_n(out.data() + to, width, format_.silence_byte());
    }
  }
}

void Track::drop_before(std::int64_t at) {
  if (at <= base_) return;
  const auto gone = format_.bytes_of(static_cast<std::size_t>(std::min(at, end()) - base_));
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(gone));
  base_ = at;
  while (!gaps_.empty() && gaps_.front().at + gaps_.front().samples <= base_) gaps_.pop_front();
}

// ---- both

Tape::Tape(std::string path, AudioFormat caller, AudioFormat agent)
    : path_(std::move(path)),
      format_(tape_format(caller, agent)),
      caller_codec_(caller, format_.audio),
      agent_codec_(agent, format_.audio),
      caller_(format_.audio),
      agent_(format_.audio) {}

Tape::~Tape() {
  if (fd_ >= 0) ::close(fd_);
}

std::int64_t Tape::samples_at(std::int64_t ms) const {
  return ms * format_.audio.rate_hz / 1000;
}

bool Tape::in_bounds(std::int64_t at_ms, std::size_t wire_bytes) {
  if (at_ms >= 0 && at_ms <= kMaxCallMs) return true;
  lost_bytes_ += wire_bytes;
  return false;
}

void Tape::caller(std::int64_t at_ms, std::span<const std::uint8_t> wire) {
  if (!in_bounds(at_ms, wire.size())) return;
  const std::int64_t at = samples_at(at_ms), seam = samples_at(kSeamMs);
  if (at < base_) {  // its time is in the file already
    lost_bytes_ += wire.size();
    return;
  }
  caller_clock_ = std::max(caller_clock_, at);
  write_to(settled());  // first: a stamp far ahead then costs disk, not memory
  const auto audio = caller_codec_.convert(wire);
  if (at > caller_.end() + seam) {
    caller_.pad_to(at);
  } else if (at + seam < caller_.end()) {
    caller_.take_back(caller_.end() - at);
    if (at + seam < caller_.end()) caller_.cut(at);
  }
  caller_.append(audio);
}

void Tape::agent(std::int64_t at_ms, std::span<const std::uint8_t> wire) {
  if (!in_bounds(at_ms, wire.size())) return;
  const std::int64_t at = samples_at(at_ms);
  agent_clock_ = std::max(agent_clock_, at);
  write_to(settled());
  if (agent_.end() > std::max(caller_clock_, agent_clock_) + samples_at(kMaxAheadMs)) {
    lost_bytes_ += wire.size();
    return;
  }
  const auto audio = agent_codec_.convert(wire);
  if (at > agent_.end() + samples_at(kSeamMs)) agent_.pad_to(at);
  agent_.append(audio);
}

void Tape::agent_cut(std::int64_t at_ms) {
  if (at_ms >= 0) agent_.cut(samples_at(std::min(at_ms, kMaxCallMs)));
}

/// The caller's clock leads: the line never falls silent, the agent does. Only a caller that sends nothing at all is
/// not waited for.
std::int64_t Tape::settled() const {
  return std::max({std::int64_t{0}, caller_clock_ - samples_at(kWindowMs), agent_clock_ - samples_at(kQuietCallerMs)});
}

void Tape::write_settled() {
  const std::int64_t until = settled();
  if (until >= base_ + format_.audio.rate_hz) write_to(until);
  if (fd_ < 0) write_header();
}

void Tape::finish() {
  write_to(std::max({base_, caller_.end(), agent_.end()}));
  write_header();
}

void Tape::write_to(std::int64_t until) {
  if (until < base_ + format_.audio.rate_hz && until < std::max(caller_.end(), agent_.end())) return;
  if (until <= base_) return;
  const std::size_t frame = 2 * format_.audio.bytes_per_sample();
  bool works = open();
  // A disk that refused before owes silence for that time.
  for (std::int64_t at = std::min(in_file_, base_); at < until && works;) {
    const auto n = static_cast<std::size_t>(std::min<std::int64_t>(kBlockSamples, until - at));
    block_.resize(n * frame);
    caller_.copy(at, block_, frame);
    agent_.copy(at, std::span(block_).subspan(frame / 2), frame);
    works = put(block_);
    at = works ? at + static_cast<std::int64_t>(n) : at;
  }
  if (in_file_ < until) lost_bytes_ += static_cast<std::uint64_t>(until - std::max(in_file_, base_)) * frame;
  base_ = until;
  caller_.drop_before(until);
  agent_.drop_before(until);
  if (works) write_header();
}

bool Tape::open() {
  if (fd_ >= 0) return true;
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd_ < 0) error_ = std::strerror(errno);
  return fd_ >= 0;
}

/// Appends whole frames at the end of what the file has.
bool Tape::put(std::span<const std::uint8_t> bytes) {
  const std::size_t frame = 2 * format_.audio.bytes_per_sample();
  const std::size_t header = audio::wav_header(format_, 0).size();
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto at = static_cast<off_t>(header + static_cast<std::size_t>(in_file_) * frame + done);
    const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      error_ = n < 0 ? std::strerror(errno) : "nothing written";
      break;
    }
    done += static_cast<std::size_t>(n);
  }
  in_file_ += static_cast<std::int64_t>(done / frame);
  if (done == bytes.size()) error_.clear();
  return done == bytes.size();
}

void Tape::write_header() {
  if (!open()) return;
  const std::size_t frame = 2 * format_.audio.bytes_per_sample();
  const auto header = audio::wav_header(format_, static_cast<std::uint64_t>(in_file_) * frame);
  if (::pwrite(fd_, header.data(), header.size(), 0) != static_cast<ssize_t>(header.size())) {
    error_ = std::strerror(errno);
  }
}

std::uint64_t Tape::take_lost() {
  return std::exchange(lost_bytes_, 0);
}

}  // namespace voxgate::records
