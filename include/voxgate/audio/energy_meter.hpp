#pragma once
// The level of a run of samples in dBFS (0 = full-scale square wave), without its DC offset.

#include <cstdint>
#include <span>

#include "voxgate/audio/format.hpp"

namespace voxgate::audio {

/// What an empty or perfectly silent run measures; nothing is ever below it, nothing is -inf or NaN.
inline constexpr float kMinDb = -100.0F;

/// Power as 10 log10 of the variance against full scale: the mean is the DC offset and does not count. One pass of
/// integer sums instead of a recursive DC filter, about ten times cheaper at the same answer for a DC offset.
float level_db(std::span<const std::int16_t> pcm);

/// The same straight from wire bytes; the companded laws use a table of values and squares and decode nothing.
float level_db(Encoding encoding, std::span<const std::uint8_t> wire);

/// dBFS of a mean square in units of int16 samples.
float db_of_mean_square(double mean_square);

}  // namespace voxgate::audio
