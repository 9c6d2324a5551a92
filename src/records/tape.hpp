#pragma once
// One call's recording: two sides on one time line, interleaved into a stereo WAV file.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "voxgate/audio/format.hpp"
#include "voxgate/audio/resampler.hpp"
#include "voxgate/audio/wav.hpp"

namespace voxgate::records {

/// What a side is given as, turned into what the file holds: mu-law as it is, A-law by table, linear at one rate.
class SideCodec {
 public:
  SideCodec(audio::AudioFormat from, audio::AudioFormat to);
  /// The bytes live until the next call.
  std::span<const std::uint8_t> convert(std::span<const std::uint8_t> wire);
  audio::AudioFormat from() const { return from_; }

 private:
  audio::AudioFormat from_, to_;
  audio::Resampler resampler_;
  std::vector<std::int16_t> samples_, resampled_;
  std::vector<std::uint8_t> out_;
};

/// One channel from `base` (the first sample not yet in the file) to its write position. Positions are in samples
/// since the start of the call, the audio in the file's encoding.
class Track {
 public:
  explicit Track(audio::AudioFormat format) : format_(format) {}

  std::int64_t end() const { return base_ + static_cast<std::int64_t>(format_.samples_in(bytes_.size())); }
  /// Continues without a seam.
  void append(std::span<const std::uint8_t> audio);
  /// Silence up to `at`; it may be taken back.
  void pad_to(std::int64_t at);
  /// Nothing sounds from `at` on.
  void cut(std::int64_t at);
  /// Removes up to `samples` of the silence put in last, moving what follows it forward in time; returns how many.
  std::int64_t take_back(std::int64_t samples);
  /// The sample at `at` as bytes; silence outside.
  void copy(std::int64_t at, std::span<std::uint8_t> out, std::size_t stride_bytes) const;
  /// Forgets everything before `at`.
  void drop_before(std::int64_t at);

 private:
  struct Gap {
    std::int64_t at, samples;
  };
  audio::AudioFormat format_;
  std::int64_t base_ = 0;
  std::vector<std::uint8_t> bytes_;
  std::deque<Gap> gaps_;
};

/// Owner and thread: the recorder's writer. Memory: about six seconds of both sides, at most a minute when the agent
/// is far ahead of the line.
class Tape {
 public:
  Tape(std::string path, audio::AudioFormat caller, audio::AudioFormat agent);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// The caller's side follows its stamps. Audio that comes too late for its own gap (a stalled path that then delivers
  /// everything at once) closes the gap again; audio that overlaps what is there replaces it.
  void caller(std::int64_t at_ms, std::span<const std::uint8_t> wire);
  /// The agent's side continues where it is, or at the stamp if that is later: what is sent ahead sounds in its turn.
  void agent(std::int64_t at_ms, std::span<const std::uint8_t> wire);
  void agent_cut(std::int64_t at_ms);

  /// Writes what no later event can change, once there is a second of it, and makes the header say so.
  void write_settled();
  /// Writes all that is left.
  void finish();

  /// Bytes that had no place in the file since the last question: the disk refused them, or they came out of bounds.
  std::uint64_t take_lost();
  /// Why the disk refused last; empty when it works.
  const std::string& error() const { return error_; }
  const audio::WavFormat& format() const { return format_; }

 private:
  std::int64_t samples_at(std::int64_t ms) const;
  bool in_bounds(std::int64_t at_ms, std::size_t wire_bytes);
  std::int64_t settled() const;
  void write_to(std::int64_t until);
  bool put(std::span<const std::uint8_t> bytes);
  bool open();
  void write_header();

  const std::string path_;
  const audio::WavFormat format_;
  SideCodec caller_codec_, agent_codec_;
  Track caller_, agent_;
  std::int64_t caller_clock_ = 0, agent_clock_ = 0;  // newest stamps, in samples
  std::int64_t base_ = 0;                            // first sample that was not yet handed to the file
  std::int64_t in_file_ = 0;                         // samples the file has; behind base_ only after a disk error
  int fd_ = -1;
  std::uint64_t lost_bytes_ = 0;
  std::string error_;
  std::vector<std::uint8_t> block_;
};

/// What the file of such a call holds: mu-law where both sides are companded at one rate, else PCM16 at the higher one.
audio::WavFormat tape_format(audio::AudioFormat caller, audio::AudioFormat agent);

}  // namespace voxgate::records
