#include "voxgate/audio/vad.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "audio/band_meter.hpp"
#include "voxgate/audio/energy_meter.hpp"
#include "voxgate/audio/g711.hpp"
#include "voxgate/base/assert.hpp"

// Exported by libwebrtc-audio-processing 0.3, which installs no header for it.
extern "C" {
struct WebRtcVadInst;
WebRtcVadInst* WebRtcVad_Create();
void WebRtcVad_Free(WebRtcVadInst* handle);
int WebRtcVad_Init(WebRtcVadInst* handle);
int WebRtcVad_set_mode(WebRtcVadInst* handle, int mode);
int WebRtcVad_Process(WebRtcVadInst* handle, int rate_hz, const std::int16_t* audio, std::size_t samples);
}

namespace voxgate::audio {
namespace {

constexpr float kFloorMin = -75.0F, kFloorMax = -28.0F;
constexpr int kFloorLearnFrames = 10;  // 200 ms: the floor is the quietest of them
constexpr float kFloorDown = 0.25F;    // of the difference, per frame
constexpr float kFloorUpIdle = 0.05F;  // of min(difference, 1 dB), per frame: 2.5 dB/s
constexpr float kFloorUpSpeaking = 0.012F;
constexpr Micros kDtmfVeto = 80ms;
constexpr float kLearningDb = 4.0F;         // more asked of the bands while their floors are new ...
constexpr std::int64_t kLearntFrames = 40;  // ... until here, less and less
constexpr float kRestlessFree = 1.5F;       // restlessness of steady noise
constexpr float kRestlessFactor = 1.5F;
constexpr float kTalkingBackground = 1.0F;  // restlessness beyond the free part from which the background talks
constexpr float kBelowVoiceOnset = 9.0F, kBelowVoiceSustain = 12.0F;  // dB below the caller's level: somebody else
constexpr float kVoiceUp = 0.1F;                                      // of the difference, per active frame
constexpr float kVoiceDown = 0.02F;                                   // dB per other frame: 1 dB/s
constexpr int kDtmfLinger = 4;  // frames fed to the key detector after the last loud one

}  // namespace

struct Vad::Models {
  explicit Models(int rate_hz) : webrtc(WebRtcVad_Create()), dtmf(rate_hz) {}
  ~Models() { WebRtcVad_Free(webrtc); }
  Models(const Models&) = delete;
  Models& operator=(const Models&) = delete;

  void restart(int mode) {
    WebRtcVad_Init(webrtc);
    WebRtcVad_set_mode(webrtc, mode);
    dtmf.reset();
    bands.reset();
  }

  WebRtcVadInst* webrtc;
  DtmfDetector dtmf;
  BandMeter bands;
};

Vad::Vad(const VadConfig& config) {
  reset(config);
}
Vad::~Vad() = default;
Vad::Vad(Vad&&) noexcept = default;
Vad& Vad::operator=(Vad&&) noexcept = default;

void Vad::reset(const VadConfig& config) noexcept {
  VOXGATE_ASSERT(config.format.rate_hz == 8000 || config.format.rate_hz == 16000);
  if (config.format.rate_hz != config_.format.rate_hz) models_.reset();
  config_ = config;
  frame_bytes_ = config.format.bytes_for(kFrame);
  VOXGATE_ASSERT(frame_bytes_ <= partial_.size());
  if (models_) models_->restart(config.webrtc_mode);
  fill_ = 0;
  frames_ = levels_seen_ = 0;
  floor_db_ = kFloorMin;
  recent_act_ = 0;
  speaking_ = false;
  quiet_frames_ = 0;
  last_act_ = speech_start_ = Micros{0};
  dtmf_until_ = Micros{-1};
  dtmf_linger_ = 0;
  excesses_.fill(0.0F);
  voice_db_ = kMinDb;
}

std::size_t Vad::top_up(std::span<const std::uint8_t> wire) {
  const std::size_t n = std::min(wire.size(), frame_bytes_ - fill_);
  if (n != 0) std::memcpy(partial_.data() + fill_, wire.data(), n);
  fill_ += n;
  return n;
}

std::size_t Vad::fill_with_silence(std::size_t bytes) {
  const std::size_t n = std::min(bytes, frame_bytes_ - fill_);
  std::memset(partial_.data() + fill_, config_.format.silence_byte(), n);
  fill_ += n;
  return n;
}

void Vad::track_floor(float db) {
  if (levels_seen_ == 0) {
    floor_db_ = db;
  } else if (levels_seen_ < kFloorLearnFrames) {
    floor_db_ = std::min(floor_db_, db);
  } else if (db < floor_db_) {
    floor_db_ += kFloorDown * (db - floor_db_);
  } else {
    floor_db_ += std::min(db - floor_db_, 1.0F) * (speaking_ ? kFloorUpSpeaking : kFloorUpIdle);
  }
  floor_db_ = std::clamp(floor_db_, kFloorMin, kFloorMax);
}

/// How loud the caller speaks: up within a syllable, down over many seconds.
void Vad::track_voice(const VadFrame& frame) {
  if (frame.act && frame.db > voice_db_) {
    voice_db_ += kVoiceUp * (frame.db - voice_db_);
  } else {
    voice_db_ = std::max(kMinDb, voice_db_ - kVoiceDown);
  }
}

bool Vad::is_steady(const std::array<float, kHistory>& levels, float range_db) {
  const auto [low, high] = std::minmax_element(levels.begin(), levels.end());
  return *high - *low < range_db;
}

Vad::Models& Vad::models() {
  if (!models_) {
    models_ = std::make_unique<Models>(config_.format.rate_hz);
    models_->restart(config_.webrtc_mode);
  }
  return *models_;
}

/// In noise the level of the whole frame says little; single bands still do. A restless background raises the bar.
bool Vad::stands_out(float excess, float frame_db) {
  const float restless = std::max(0.0F, models_->bands.restlessness_db() - kRestlessFree);
  const float least = speaking_ ? config_.noisy_sustain_db : config_.noisy_onset_db;
  const float unsure = kLearningDb * std::clamp(static_cast<float>(kLearntFrames - levels_seen_) / 30.0F, 0.0F, 1.0F);
  if (excess <= least + unsure + kRestlessFactor * restless) return false;
  // Where the background talks as well, the caller is the loud one.
  return restless < kTalkingBackground || frame_db > voice_db_ - (speaking_ ? kBelowVoiceSustain : kBelowVoiceOnset);
}

/// The key detector must see a key's tone to its end; quiet frames and steady noise it need not see.
bool Vad::hears_key(std::span<const std::int16_t> pcm, VadFrame& frame) {
  DtmfDetector& dtmf = models().dtmf;
  frame.digit = dtmf.feed(pcm);
  if (dtmf.active()) {
    dtmf_until_ = frame.end + kDtmfVeto;
    dtmf_linger_ = kDtmfLinger;
  }
  return frame.end <= dtmf_until_;
}

/// The cheap test first; the samples are decoded and the models run only on what it lets through.
bool Vad::looks_like_speech(std::span<const std::uint8_t> wire, VadFrame& frame) {
  const bool every = !config_.lazy_models;
  const bool noisy = floor_db_ > config_.noisy_floor_db;
  const float least = speaking_ ? config_.sustain_min_db : config_.min_db;
  const float above = speaking_ ? config_.sustain_db : config_.onset_db;
  bool loud = frame.db > (noisy ? least : std::max(floor_db_ + above, least));
  if (!loud && !noisy && !every && dtmf_linger_ == 0) return false;
  std::array<std::int16_t, 320> buffer;
  const auto pcm = std::span(buffer).first(decode(config_.format.encoding, wire, buffer));
  bool prominent = loud;
  if (noisy) {
    const float excess = models().bands.excess_db(pcm, speaking_);
    excesses_[static_cast<std::size_t>(levels_seen_ - 1) % kHistory] = excess;
    prominent = loud && excess > config_.noisy_sustain_db;
    loud = prominent && stands_out(excess, frame.db);
  }
  dtmf_linger_ = prominent ? kDtmfLinger : std::max(0, dtmf_linger_ - 1);
  const bool keyed = config_.dtmf && (dtmf_linger_ != 0 || every) && hears_key(pcm, frame);
  if (!every && (!loud || keyed)) return false;
  const bool voiced = WebRtcVad_Process(models().webrtc, config_.format.rate_hz, pcm.data(), pcm.size()) == 1;
  if (!voiced || !loud || keyed) return false;
  if (levels_seen_ < static_cast<std::int64_t>(kHistory)) return true;
  return !is_steady(levels_, config_.steady_db) || (noisy && !is_steady(excesses_, config_.steady_db));
}

VadFrame Vad::step(std::span<const std::uint8_t> wire) {
  VadFrame frame;
  frame.db = level_db(config_.format.encoding, wire);
  track_floor(frame.db);
  levels_[static_cast<std::size_t>(levels_seen_++) % kHistory] = frame.db;
  ++frames_;
  frame.end = now();
  frame.floor_db = floor_db_;
  frame.act = looks_like_speech(wire, frame);
  track_voice(frame);
  decide(frame);
  return frame;
}

VadFrame Vad::step_gap() {
  VadFrame frame;
  ++frames_;
  frame.end = now();
  frame.floor_db = floor_db_;
  decide(frame);
  return frame;
}

void Vad::decide(VadFrame& frame) {
  recent_act_ = (recent_act_ << 1) | (frame.act ? 1U : 0U);
  if (frame.act) {
    last_act_ = frame.end;
    quiet_frames_ = 0;
  } else {
    ++quiet_frames_;
  }
  const std::uint32_t window = (1U << config_.start_window) - 1;
  if (!speaking_ && std::popcount(recent_act_ & window) >= config_.start_frames) {
    speaking_ = true;
    frame.edge = VadFrame::Edge::start;
    speech_start_ = std::max(Micros{0}, frame.end - config_.start_frames * Micros(kFrame));
  } else if (speaking_ && quiet_frames_ * kFrame >= config_.hang) {
    speaking_ = false;
    frame.edge = VadFrame::Edge::stop;
  }
  frame.speech = speaking_;
}

}  // namespace voxgate::audio
