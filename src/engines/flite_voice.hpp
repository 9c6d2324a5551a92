#pragma once
// One flite voice: text in, PCM16 at 16 kHz out in pieces, with the time of every word.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "voxgate/vendors/tts_stream.hpp"

namespace voxgate::engines {

inline constexpr int kVoiceRate = 16000;

/// Threads: any; a mutex lets one clause through at a time, because the feature set that steers a synthesis belongs to
/// the voice.
class FliteVoice {
 public:
  /// Pieces of about 50 ms as they are made; false stops the synthesis. `words` come with the first piece, in
  /// milliseconds from its start.
  using Piece = std::function<bool(std::span<const std::int16_t> pcm, std::vector<vendors::TtsWord>* words)>;

  /// The voice of that name, made on first use and kept for the life of the process; nullptr if there is none.
  static FliteVoice* find(std::string_view name);

  /// False if it was stopped. Leading silence is cut (voices begin with up to 200 ms of it), the level is the same for
  /// every voice.
  bool say(const std::string& text, double duration_stretch, double level_dbfs, const Piece& piece);

  struct Raw;
  explicit FliteVoice(std::unique_ptr<Raw> raw);
  ~FliteVoice();

 private:
  std::unique_ptr<Raw> raw_;
};

}  // namespace voxgate::engines
