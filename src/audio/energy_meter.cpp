#include "voxgate/audio/energy_meter.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "voxgate/audio/g711.hpp"

namespace voxgate::audio {
namespace {

struct Entry {
  std::int32_t value;
  std::int32_t square;  // 32124^2 fits
};

using SquareTable = std::array<Entry, 256>;

SquareTable make_table(const std::array<std::int16_t, 256>& decode) {
  SquareTable table;
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = {decode[i], decode[i] * decode[i]};
  return table;
}

const SquareTable& squares_of(Encoding encoding) {
  static const SquareTable ulaw = make_table(g711::tables::ulaw_decode);
  static const SquareTable alaw = make_table(g711::tables::alaw_decode);
  return encoding == Encoding::mulaw ? ulaw : alaw;
}

float db_of_sums(std::int64_t sum, std::int64_t squares, std::size_t n) {
  if (n == 0) return kMinDb;
  const auto count = static_cast<double>(n);
  const double mean = static_cast<double>(sum) / count;
  return db_of_mean_square(static_cast<double>(squares) / count - mean * mean);
}

}  // namespace

float db_of_mean_square(double mean_square) {
  constexpr double kFullScale = 32768.0 * 32768.0;
  if (!(mean_square > 0.0)) return kMinDb;
  return std::max(kMinDb, static_cast<float>(10.0 * std::log10(mean_square / kFullScale)));
}

float level_db(std::span<const std::int16_t> pcm) {
  std::int64_t sum = 0, squares = 0;
  for (const std::int16_t s : pcm) {
    sum += s;
    squares += std::int32_t{s} * s;
  }
  return db_of_sums(sum, squares, pcm.size());
}

float level_db(Encoding encoding, std::span<const std::uint8_t> wire) {
  std::int64_t sum = 0, squares = 0;
  if (encoding == Encoding::s16le) {
    for (std::size_t i = 0; i + 1 < wire.size(); i += 2) {
      const auto s = static_cast<std::int16_t>(static_cast<std::uint16_t>(wire[i] | (wire[i + 1] << 8)));
      sum += s;
      squares += std::int32_t{s} * s;
    }
    return db_of_sums(sum, squares, wire.size() / 2);
  }
  const SquareTable& table = squares_of(encoding);
  for (const std::uint8_t byte : wire) {
    sum += table[byte].value;
    squares += table[byte].square;
  }
  return db_of_sums(sum, squares, wire.size());
}

}  // namespace voxgate::audio
