#include "voxgate/audio/wav.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "voxgate/audio/g711.hpp"

namespace voxgate::audio {
namespace {

constexpr std::uint16_t kTagPcm = 1, kTagAlaw = 6, kTagMulaw = 7, kTagExtensible = 0xFFFE;

std::uint32_t read_le(std::span<const std::uint8_t> bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value |= static_cast<std::uint32_t>(bytes[at + i]) << (8 * i);
  return value;
}

bool is_tag(std::span<const std::uint8_t> bytes, std::size_t at, std::string_view tag) {
  return bytes.size() >= at + tag.size() && std::memcmp(bytes.data() + at, tag.data(), tag.size()) == 0;
}

Result<WavFormat> parse_format(std::span<const std::uint8_t> chunk) {
  if (chunk.size() < 16) return Errc::bad_input;
  std::uint32_t tag = read_le(chunk, 0, 2);
  if (tag == kTagExtensible) {
    if (chunk.size() < 26) return Errc::bad_input;
    tag = read_le(chunk, 24, 2);
  }
  WavFormat format;
  format.channels = static_cast<int>(read_le(chunk, 2, 2));
  const std::uint32_t rate = read_le(chunk, 4, 4);
  const std::uint32_t bits = read_le(chunk, 14, 2);
  if (rate == 0 || rate > 768'000) return Errc::bad_input;
  if (format.channels < 1 || format.channels > 2) return Errc::unsupported;
  format.audio.rate_hz = static_cast<int>(rate);
  if (tag == kTagPcm && bits == 16) {
    format.audio.encoding = Encoding::s16le;
  } else if (tag == kTagMulaw && bits == 8) {
    format.audio.encoding = Encoding::mulaw;
  } else if (tag == kTagAlaw && bits == 8) {
    format.audio.encoding = Encoding::alaw;
  } else {
    return Errc::unsupported;
  }
  return format;
}

void append_le(std::vector<std::uint8_t>& out, std::uint64_t value, int width) {
  for (int i = 0; i < width; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void append_tag(std::vector<std::uint8_t>& out, std::string_view tag) {
  out.insert(out.end(), tag.begin(), tag.end());
}

}  // namespace

Result<WavView> parse_wav(std::span<const std::uint8_t> file) {
  if (!is_tag(file, 0, "RIFF") || !is_tag(file, 8, "WAVE")) return Errc::bad_input;
  std::optional<WavFormat> format;
  std::optional<std::span<const std::uint8_t>> data;
  std::size_t at = 12;
  while (at + 8 <= file.size() && !(format && data)) {
    const std::size_t size = read_le(file, at + 4, 4);
    const std::size_t room = file.size() - (at + 8);
    const auto chunk = file.subspan(at + 8, std::min(size, room));
    if (is_tag(file, at, "fmt ")) {
      const auto parsed = parse_format(chunk);
      if (!parsed) return parsed.error();
      format = *parsed;
    } else if (is_tag(file, at, "data")) {
      // Writers that stream leave 0 or all ones here; the data then runs to the end.
      data = size == 0 || size > room ? file.subspan(at + 8) : chunk;
    }
    if (size >= room) break;
    at += 8 + size + (size & 1U);
  }
  if (!format || !data) return Errc::bad_input;
  const std::size_t frame = format->audio.bytes_per_sample() * static_cast<std::size_t>(format->channels);
  return WavView{*format, data->first(data->size() / frame * frame)};
}

std::vector<std::uint8_t> wav_header(const WavFormat& format, std::uint64_t data_bytes) {
  const bool pcm = format.audio.encoding == Encoding::s16le;
  const std::uint16_t tag = pcm ? kTagPcm : format.audio.encoding == Encoding::mulaw ? kTagMulaw : kTagAlaw;
  const std::size_t width = format.audio.bytes_per_sample();
  const std::size_t frame = width * static_cast<std::size_t>(format.channels);
  const std::uint64_t header = pcm ? 44 : 58;
  const std::uint64_t size = std::min<std::uint64_t>(data_bytes, 0xFFFFFFFFULL - header);
  std::vector<std::uint8_t> out;
  out.reserve(header);
  append_tag(out, "RIFF");
  append_le(out, header - 8 + size + (size & 1U), 4);
  append_tag(out, "WAVEfmt ");
  append_le(out, pcm ? 16 : 18, 4);
  append_le(out, tag, 2);
  append_le(out, static_cast<std::uint64_t>(format.channels), 2);
  append_le(out, static_cast<std::uint64_t>(format.audio.rate_hz), 4);
  append_le(out, static_cast<std::uint64_t>(format.audio.rate_hz) * frame, 4);
  append_le(out, frame, 2);
  append_le(out, 8 * width, 2);
  if (!pcm) {
    append_le(out, 0, 2);  // no extension
    append_tag(out, "fact");
    append_le(out, 4, 4);
    append_le(out, size / frame, 4);
  }
  append_tag(out, "data");
  append_le(out, size, 4);
  return out;
}

std::vector<std::uint8_t> encode_wav(const WavFormat& format, std::span<const std::uint8_t> data) {
  std::vector<std::uint8_t> file = wav_header(format, data.size());
  file.insert(file.end(), data.begin(), data.end());
  if (data.size() % 2 != 0) file.push_back(0);
  return file;
}

std::vector<std::uint8_t> encode_wav(std::span<const std::int16_t> mono, int rate_hz) {
  std::vector<std::uint8_t> data(mono.size() * 2);
  encode(Encoding::s16le, mono, data);
  return encode_wav(WavFormat{{Encoding::s16le, rate_hz}, 1}, data);
}

std::vector<std::int16_t> wav_samples(const WavView& wav, int channel) {
  const auto channels = static_cast<std::size_t>(wav.format.channels);
  std::vector<std::int16_t> all(wav.frames() * channels);
  decode(wav.format.audio.encoding, wav.data, all);
  if (channels == 1) return all;
  std::vector<std::int16_t> out(wav.frames());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (channel >= 0) {
      out[i] = all[i * channels + std::min(static_cast<std::size_t>(channel), channels - 1)];
      continue;
    }
    std::int32_t sum = 0;
    for (std::size_t c = 0; c < channels; ++c) sum += all[i * channels + c];
    out[i] = static_cast<std::int16_t>(sum / static_cast<std::int32_t>(channels));
  }
  return out;
}

}  // namespace voxgate::audio
