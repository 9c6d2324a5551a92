#include "voxgate/audio/dtmf.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "audio/spandsp.hpp"
#include "voxgate/base/assert.hpp"

namespace voxgate::audio {
namespace {

constexpr std::string_view kKeys = "123A456B789C*0#D";
constexpr std::array<double, 4> kRowHz = {697, 770, 852, 941};
constexpr std::array<double, 4> kColumnHz = {1209, 1336, 1477, 1633};

// A key that is lost for less than this is still the same press: callers cannot press twice that fast, lines do drop
// out.
constexpr std::int64_t kRejoinSamples = 8000 * 25 / 1000;

}  // namespace

struct DtmfDetector::State {
  explicit State(int rate) : rate_hz(rate), rx(dtmf_rx_init(nullptr, nullptr, nullptr)) {
    dtmf_rx_set_realtime_callback(rx, &State::on_tone, this);
  }
  ~State() { dtmf_rx_free(rx); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  static void on_tone(void* user, int code, int /*level*/, int /*delay*/) {
    auto& self = *static_cast<State*>(user);
    if (code == 0) {
      if (self.down != 0) self.released_at = self.position;
      self.down = 0;
      return;
    }
    const auto key = static_cast<char>(code);
    const bool rejoined = key == self.last_key && self.position - self.released_at < kRejoinSamples;
    if (key != self.down && !rejoined) self.found = key;
    self.down = self.last_key = key;
  }

  char feed_8k(std::span<const std::int16_t> pcm) {
    found = 0;
    // In pieces of one Goertzel block, so that `position` is right to a block when the callback comes.
    while (!pcm.empty()) {
      const auto piece = pcm.first(std::min<std::size_t>(pcm.size(), 51));
      position += static_cast<std::int64_t>(piece.size());
      dtmf_rx(rx, piece.data(), static_cast<int>(piece.size()));
      pcm = pcm.subspan(piece.size());
    }
    return found;
  }

  /// Half-band low-pass and decimation by two, for 16 kHz media.
  std::size_t halve(std::span<const std::int16_t> in, std::span<std::int16_t> out) {
    constexpr std::array<float, 4> kSide = {0.3066F, -0.0748F, 0.0231F, -0.0049F};  // taps 1, 3, 5, 7; centre 0.5
    std::size_t n = 0;
    for (const std::int16_t s : in) {
      std::copy(line.begin() + 1, line.end(), line.begin());
      line.back() = s;
      odd = !odd;
      if (odd || n == out.size()) continue;
      float y = 0.5F * line[7];
      for (std::size_t k = 0; k < kSide.size(); ++k) y += kSide[k] * (line[6 - 2 * k] + line[8 + 2 * k]);
      out[n++] = static_cast<std::int16_t>(std::clamp(y, -32768.0F, 32767.0F));
    }
    return n;
  }

  int rate_hz;
  dtmf_rx_state_t* rx;
  char down = 0;      // key that is down now
  char last_key = 0;  // key that was down last
  char found = 0;
  std::int64_t position = 0;  // samples at 8 kHz
  std::int64_t released_at = -kRejoinSamples;
  std::array<float, 15> line{};
  bool odd = true;
};

DtmfDetector::DtmfDetector(int rate_hz) : state_(std::make_unique<State>(rate_hz)) {
  VOXGATE_ASSERT(rate_hz == 8000 || rate_hz == 16000);
}
DtmfDetector::~DtmfDetector() = default;
DtmfDetector::DtmfDetector(DtmfDetector&&) noexcept = default;
DtmfDetector& DtmfDetector::operator=(DtmfDetector&&) noexcept = default;

char DtmfDetector::feed(std::span<const std::int16_t> pcm) {
  if (state_->rate_hz == 8000) return state_->feed_8k(pcm);
  char found = 0;
  std::array<std::int16_t, 160> half;
  while (!pcm.empty()) {
    const auto piece = pcm.first(std::min<std::size_t>(pcm.size(), 2 * half.size()));
    const char key = state_->feed_8k(std::span(half).first(state_->halve(piece, half)));
    if (key != 0) found = key;
    pcm = pcm.subspan(piece.size());
  }
  return found;
}

bool DtmfDetector::active() const {
  return dtmf_rx_status(state_->rx) != 0;
}

void DtmfDetector::reset() {
  State& s = *state_;
  dtmf_rx_init(s.rx, nullptr, nullptr);
  dtmf_rx_set_realtime_callback(s.rx, &State::on_tone, &s);
  s.down = s.last_key = s.found = 0;
  s.position = 0;
  s.released_at = -kRejoinSamples;
  s.line.fill(0);
  s.odd = true;
}

std::vector<std::int16_t> make_dtmf(std::string_view digits, int rate_hz, const DtmfTone& tone) {
  const auto samples = [rate_hz](Millis d) { return static_cast<std::size_t>(d.count() * rate_hz / 1000); };
  const double ratio = std::pow(10.0, tone.twist_db / 20.0);
  const double power = std::pow(10.0, tone.level_dbfs / 10.0) * 32768.0 * 32768.0;  // = (low^2 + high^2) / 2
  const double low = std::sqrt(2.0 * power / (1.0 + ratio * ratio));
  std::vector<std::int16_t> pcm;
  for (const char digit : digits) {
    const std::size_t key = kKeys.find(digit);
    if (key == std::string_view::npos) continue;
    const double row = 2.0 * std::numbers::pi * kRowHz[key / 4] / rate_hz;
    const double column = 2.0 * std::numbers::pi * kColumnHz[key % 4] / rate_hz;
    for (std::size_t i = 0; i < samples(tone.on); ++i) {
      const auto t = static_cast<double>(i);
      const double y = low * std::sin(row * t) + low * ratio * std::sin(column * t);
      pcm.push_back(static_cast<std::int16_t>(std::clamp(y, -32768.0, 32767.0)));
    }
    pcm.resize(pcm.size() + samples(tone.off), 0);
  }
  return pcm;
}

}  // namespace voxgate::audio
