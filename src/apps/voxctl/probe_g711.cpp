// voxctl g711: the tables the media path uses, so that anyone can compare them with another implementation.

#include <array>
#include <cstdio>

#include "apps/voxctl/commands.hpp"
#include "voxgate/audio/g711.hpp"

namespace voxgate::voxctl {
namespace {

constexpr const char* kHelp =
    "usage: voxctl g711 ulaw_dec|alaw_dec   writes 256 little-endian int16: the sample of every code\n"
    "       voxctl g711 ulaw_enc|alaw_enc   writes 65536 bytes: the code of every sample, -32768 first\n";

int write_all(std::span<const std::uint8_t> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() && std::fflush(stdout) == 0) return 0;
  std::fputs("voxctl g711: cannot write\n", stderr);
  return 2;
}

int write_decoded(audio::Encoding law) {
  std::array<std::uint8_t, 256> codes;
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i);
  std::array<std::int16_t, 256> samples;
  audio::decode(law, codes, samples);
  std::array<std::uint8_t, 512> bytes;
  audio::encode(audio::Encoding::s16le, samples, bytes);
  return write_all(bytes);
}

int write_encoded(audio::Encoding law) {
  std::vector<std::int16_t> samples(65536);
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int16_t>(static_cast<int>(i) - 32768);
  std::vector<std::uint8_t> codes(samples.size());
  audio::encode(law, samples, codes);
  return write_all(codes);
}

}  // namespace

int run_g711(const Args& args) {
  const std::string what = args.size() == 1 ? args[0] : "";
  if (what == "ulaw_dec") return write_decoded(audio::Encoding::mulaw);
  if (what == "alaw_dec") return write_decoded(audio::Encoding::alaw);
  if (what == "ulaw_enc") return write_encoded(audio::Encoding::mulaw);
  if (what == "alaw_enc") return write_encoded(audio::Encoding::alaw);
  const bool asked = what == "--help" || what == "-h";
  std::fputs(kHelp, asked ? stdout : stderr);
  return asked ? 0 : 2;
}

}  // namespace voxgate::voxctl
