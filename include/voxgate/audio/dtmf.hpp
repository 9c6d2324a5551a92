#pragma once
// Touch-tone digits: a detector and a generator, both over spandsp.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "voxgate/base/time.hpp"

namespace voxgate::audio {

/// Reports each pressed key once, while it is still down (about 26 to 38 ms after it went down).
/// Owner: one call's VAD. Threads: the call's loop. Memory: about 500 bytes, allocated at construction.
/// Source: spandsp dtmf_rx (Goertzel blocks of 102 samples; twist +8/-4 dB), plus joining of a key that drops out
/// briefly.
class DtmfDetector {
 public:
  /// `rate_hz` is 8000 or 16000 (halved inside).
  explicit DtmfDetector(int rate_hz);
  ~DtmfDetector();
  DtmfDetector(DtmfDetector&&) noexcept;
  DtmfDetector& operator=(DtmfDetector&&) noexcept;

  /// Feeds samples (about 20 ms); returns the key that was confirmed in them, or '\0'.
  char feed(std::span<const std::int16_t> pcm);

  /// A key is down, or the last block looked like one.
  bool active() const;
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct DtmfTone {
  Millis on = 80ms;
  Millis off = 80ms;
  double level_dbfs = -13.0;  // power of both tones together
  double twist_db = 0.0;      // high tone above the low one
};

/// The digits as PCM16 at `rate_hz`, each followed by its pause; characters that are no keys are skipped.
/// For simulated callers and tests, and for sending digits in-band.
std::vector<std::int16_t> make_dtmf(std::string_view digits, int rate_hz, const DtmfTone& tone = {});

}  // namespace voxgate::audio
