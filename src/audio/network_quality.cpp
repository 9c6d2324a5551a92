#include "voxgate/audio/network_quality.hpp"

#include <algorithm>
#include <cmath>

namespace voxgate::audio {

NetworkOpinion estimate_opinion(double delay_ms, double missing_percent, bool concealed) {
  constexpr double kBest = 93.2;                  // R of a clean G.711 call
  constexpr double kDelayKnee = 177.3;            // ms, beyond which delay hurts conversation
  constexpr double kRobust = 25.1, kPlain = 4.3;  // Bpl with and without concealment
  const double delay = 0.024 * delay_ms + 0.11 * std::max(0.0, delay_ms - kDelayKnee);
  const double loss = 95.0 * missing_percent / (missing_percent + (concealed ? kRobust : kPlain));
  NetworkOpinion out;
  out.r = std::clamp(kBest - delay - (missing_percent > 0 ? loss : 0.0), 0.0, 100.0);
  out.mos = std::clamp(1.0 + 0.035 * out.r + 7e-6 * out.r * (out.r - 60.0) * (100.0 - out.r), 1.0, 4.5);
  return out;
}

void NetworkQuality::on_frame(Instant now, Micros media) {
  if (started_ && media > last_media_) {
    const Duration apart = now - last_arrival_;
    const Duration late = apart - (media - last_media_);
    const double d_us = std::abs(std::chrono::duration<double, std::micro>(late).count());
    jitter_us_ += (d_us - jitter_us_) / 16.0;
    if (late > kStall) {
      ++stalls_;
      longest_stall_ = std::max(longest_stall_, late);
    }
  }
  started_ = true;
  last_arrival_ = now;
  last_media_ = media;
}

}  // namespace voxgate::audio
