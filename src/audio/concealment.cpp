#include "voxgate/audio/concealment.hpp"

#include <algorithm>
#include <cmath>

#include "audio/spandsp.hpp"

namespace voxgate::audio {

struct Concealer::State {
  plc_state_t plc;
};

Concealer::Concealer() : state_(std::make_unique<State>()) {
  plc_init(&state_->plc);
}
Concealer::~Concealer() = default;
Concealer::Concealer(Concealer&&) noexcept = default;
Concealer& Concealer::operator=(Concealer&&) noexcept = default;

void Concealer::received(std::span<std::int16_t> pcm) {
  plc_rx(&state_->plc, pcm.data(), static_cast<int>(pcm.size()));
}

void Concealer::conceal(std::span<std::int16_t> pcm) {
  plc_fillin(&state_->plc, pcm.data(), static_cast<int>(pcm.size()));
}

void Concealer::reset() {
  plc_init(&state_->plc);
}

ComfortNoise::ComfortNoise(double level_dbfs, std::uint32_t seed) : state_(seed == 0 ? 1 : seed) {
  const double rms = 32768.0 * std::pow(10.0, level_dbfs / 20.0);
  amplitude_ = std::clamp(static_cast<std::int32_t>(std::lround(rms * std::sqrt(3.0))), 1, 32767);
}

void ComfortNoise::fill(std::span<std::int16_t> pcm) {
  const auto span = static_cast<std::uint32_t>(2 * amplitude_ + 1);
  for (std::int16_t& s : pcm) {
    state_ ^= state_ << 13;  // xorshift32
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    s = static_cast<std::int16_t>(static_cast<std::int32_t>((std::uint64_t{state_} * span) >> 32) - amplitude_);
  }
}

}  // namespace voxgate::audio
