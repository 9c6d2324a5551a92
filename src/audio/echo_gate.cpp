#include "voxgate/audio/echo_gate.hpp"

#include <algorithm>

#include "voxgate/audio/energy_meter.hpp"

namespace voxgate::audio {
namespace {

constexpr Millis kFrame{20};
constexpr float kCouplingMin = -60.0F, kCouplingMax = -3.0F;
constexpr Millis kBefore = 20ms, kAfter = 60ms;  // of the measured delay: how far an echo smears
constexpr int kBlockFrames = 25;
constexpr int kLookFrames = 1000;      // 20 s of audible agent: a delay not found by then is not there
constexpr int kDelayEveryFrames = 25;  // half a second between looks at the correlator

}  // namespace

void EchoGate::reset() noexcept {
  correlator_.reset();
  delay_ = {};
  correlation_ = 0.0F;
  wide_.restart(config_.first_coupling_db);
  narrow_.restart(config_.first_coupling_db);
  frames_ = 0;
}

void EchoGate::Path::restart(float first_coupling_db) {
  coupling_db = first_coupling_db;
  learnt_db = block_db = kCouplingMin;
  learnt_frames = block_frames = 0;
  count = 0;
}

float EchoGate::Path::step(float far_db, float near_db, bool heard, bool line_echoes, const EchoGateConfig& config) {
  if (far_db >= config.loud_db) {
    const float ratio = heard ? std::clamp(near_db - far_db, kCouplingMin, kCouplingMax) : kCouplingMin;
    const int learn_frames = static_cast<int>(config.learn / kFrame);
    if (learnt_frames < learn_frames) {
      learnt_db = std::max(learnt_db, ratio);
      coupling_db = ++learnt_frames == learn_frames ? learnt_db : std::max(coupling_db, ratio);
    } else {
      block_db = std::max(block_db, ratio);
      if (++block_frames == kBlockFrames) finish_block(line_echoes);
    }
  }
  return far_db + coupling_db + config.margin_db;
}

void EchoGate::Path::finish_block(bool line_echoes) {
  blocks[count++ % kBlocks] = block_db;
  block_db = kCouplingMin;
  block_frames = 0;
  if (count < kBlocks && !line_echoes) return;
  if (count <= kUnsure) return;
  const std::size_t known = std::min(count, kBlocks);
  float loudest = count < kBlocks ? learnt_db : kCouplingMin;
  for (std::size_t age = kUnsure; age < known; ++age) loudest = std::max(loudest, blocks[(count - 1 - age) % kBlocks]);
  coupling_db = line_echoes ? loudest : std::min(coupling_db, loudest);
}

void EchoGate::look_for_delay(const FarEndTracker& far, float near_db) {
  if (frames_ >= kLookFrames) return;
  correlator_.step(far.step_db(1), near_db);
  correlator_.step(far.step_db(0), near_db);
  if (++frames_ % kDelayEveryFrames != 0) return;
  const auto found = correlator_.best();
  correlation_ = found.correlation;
  if (found.correlation < config_.min_correlation) return;  // what was found once holds: the caller blurs it
  const auto moved = found.delay > delay_.delay ? found.delay - delay_.delay : delay_.delay - found.delay;
  if (delay_.correlation == 0.0F || moved > kBefore) narrow_.restart(config_.first_coupling_db);
  delay_ = found;
}

float EchoGate::step(const FarEndTracker& far, float near_db, float floor_db) {
  const float wide_db = far.max_db();
  const bool audible = wide_db > kMinDb || delay_.delay > FarEndTracker::kWindow;
  if (audible) look_for_delay(far, near_db);
  const bool heard = near_db > floor_db + config_.above_floor_db;
  const bool line_echoes = delay_.correlation > 0.0F || correlation_ >= config_.echo_correlation;
  const float wide_limit = wide_db > kMinDb ? wide_.step(wide_db, near_db, heard, line_echoes, config_) : kMinDb;
  if (delay_.correlation == 0.0F) return wide_limit;
  const auto first = static_cast<std::size_t>(std::max(delay_.delay - kBefore, 0ms) / FarEndTracker::kStep);
  const auto last = static_cast<std::size_t>((delay_.delay + kAfter) / FarEndTracker::kStep);
  float narrow_db = kMinDb;
  for (std::size_t i = first; i <= last; ++i) narrow_db = std::max(narrow_db, far.step_db(i));
  const float narrow_limit =
      narrow_db > kMinDb ? narrow_.step(narrow_db, near_db, heard, line_echoes, config_) : kMinDb;
  const bool learnt = narrow_.learnt_frames >= static_cast<int>(config_.learn / kFrame);
  if (!learnt) return wide_limit;
  return delay_.delay > FarEndTracker::kWindow ? narrow_limit : std::min(wide_limit, narrow_limit);
}

}  // namespace voxgate::audio
