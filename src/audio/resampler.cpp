#include "voxgate/audio/resampler.hpp"

#include <speex/speex_resampler.h>

#include <algorithm>
#include <new>

#include "voxgate/base/assert.hpp"

namespace voxgate::audio {
namespace {

constexpr int kQuality = 4;

SpeexResamplerState* speex(void* state) {
  return static_cast<SpeexResamplerState*>(state);
}

}  // namespace

void Resampler::Release::operator()(void* state) const noexcept {
  speex_resampler_destroy(speex(state));
}

Resampler::Resampler(int in_hz, int out_hz) : in_hz_(in_hz), out_hz_(out_hz) {
  VOXGATE_ASSERT(in_hz > 0 && out_hz > 0);
  if (in_hz == out_hz) return;
  int error = 0;
  state_.reset(
      speex_resampler_init(1, static_cast<spx_uint32_t>(in_hz), static_cast<spx_uint32_t>(out_hz), kQuality, &error));
  if (!state_) throw std::bad_alloc();
}
Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

std::size_t Resampler::max_output(std::size_t in_samples) const {
  return in_samples * static_cast<std::size_t>(out_hz_) / static_cast<std::size_t>(in_hz_) + 2;
}

std::size_t Resampler::delay() const {
  return state_ ? static_cast<std::size_t>(speex_resampler_get_output_latency(speex(state_.get()))) : 0;
}

std::size_t Resampler::process(std::span<const std::int16_t> in, std::span<std::int16_t> out) {
  if (!state_) {
    const std::size_t n = std::min(in.size(), out.size());
    std::copy_n(in.begin(), n, out.begin());
    return n;
  }
  std::size_t written = 0;
  while (!in.empty() && written < out.size()) {
    auto taken = static_cast<spx_uint32_t>(in.size());
    auto made = static_cast<spx_uint32_t>(out.size() - written);
    speex_resampler_process_int(speex(state_.get()), 0, in.data(), &taken, out.data() + written, &made);
    if (taken == 0 && made == 0) break;
    in = in.subspan(taken);
    written += made;
  }
  return written;
}

std::size_t Resampler::process(std::span<const std::int16_t> in, std::vector<std::int16_t>& out) {
  const std::size_t before = out.size();
  out.resize(before + max_output(in.size()));
  const std::size_t n = process(in, std::span(out).subspan(before));
  out.resize(before + n);
  return n;
}

void Resampler::reset() {
  if (state_) speex_resampler_reset_mem(speex(state_.get()));
}

std::vector<std::int16_t> resample(std::span<const std::int16_t> in, int in_hz, int out_hz) {
  Resampler resampler(in_hz, out_hz);
  const std::size_t wanted = in.size() * static_cast<std::size_t>(out_hz) / static_cast<std::size_t>(in_hz);
  const std::size_t delay = resampler.delay();
  std::vector<std::int16_t> out;
  out.reserve(wanted + 2 * delay + 16);
  resampler.process(in, out);
  const std::vector<std::int16_t> tail(static_cast<std::size_t>(in_hz) / 50, 0);
  while (out.size() < wanted + delay) resampler.process(tail, out);
  out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(delay));
  out.resize(wanted);
  return out;
}

}  // namespace voxgate::audio
