#include "apps/voxctl/files.hpp"

#include <cstdio>
#include <memory>

#include "voxgate/audio/g711.hpp"
#include "voxgate/audio/resampler.hpp"
#include "voxgate/audio/wav.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::voxctl {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

}  // namespace

Result<std::vector<std::uint8_t>> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (!file) return Errc::not_found;
  std::vector<std::uint8_t> bytes;
  std::size_t size = 0;
  do {
    bytes.resize(size + (std::size_t{1} << 16));
    size += std::fread(bytes.data() + size, 1, bytes.size() - size, file.get());
    if (size > kMaxFileBytes) return Errc::too_large;
  } while (size == bytes.size());
  if (std::ferror(file.get()) != 0) return Errc::bad_input;
  bytes.resize(size);
  return bytes;
}

Result<Sound> load_sound(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes) return bytes.error();
  if (!text::to_lower(path).ends_with(".wav")) return Sound{audio::kMulaw8k, std::move(*bytes)};
  const auto wav = audio::parse_wav(*bytes);
  if (!wav) return wav.error();
  const int rate = wav->format.audio.rate_hz;
  if (wav->format.channels == 1 && (rate == 8000 || rate == 16000)) {
    return Sound{wav->format.audio, {wav->data.begin(), wav->data.end()}};
  }
  const int wanted = rate < 12000 ? 8000 : 16000;
  const auto pcm = audio::resample(audio::wav_samples(*wav), rate, wanted);
  Sound sound{{audio::Encoding::s16le, wanted}, std::vector<std::uint8_t>(pcm.size() * 2)};
  audio::encode(audio::Encoding::s16le, pcm, sound.wire);
  return sound;
}

}  // namespace voxgate::voxctl
