#pragma once
// Files for the probes: whole ones, read at once.

#include <cstdint>
#include <string>
#include <vector>

#include "voxgate/audio/format.hpp"
#include "voxgate/base/result.hpp"

namespace voxgate::voxctl {

/// Errors: not_found, too_large (over 1 GiB).
Result<std::vector<std::uint8_t>> read_file(const std::string& path);

/// Audio in one of the formats the ears take.
struct Sound {
  audio::AudioFormat format;
  std::vector<std::uint8_t> wire;
};

/// `.wav` by its header, everything else as headerless 8 kHz mu-law. 8 and 16 kHz stay as they are, other rates are
/// resampled to the nearer of the two; several channels become one.
Result<Sound> load_sound(const std::string& path);

}  // namespace voxgate::voxctl
