#pragma once
// One pair of pocketsphinx decoders: grammar and gate. Not thread-safe; used by one stream at a time.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engines/knowledge.hpp"
#include "voxgate/vendors/asr_stream.hpp"

namespace voxgate::engines {

/// The mean of the cepstrum so far: what the model must subtract. Belongs to a caller, not to a decoder.
using CepstralMean = std::array<float, 13>;

/// Measured on narrow-band speech; where a call starts.
inline constexpr CepstralMean kTelephoneMean = {41.86f, -6.32f, 0.84f,  3.86f,  3.05f, -7.27f, 0.77f,
                                                -4.74f, -6.41f, -0.09f, -7.03f, 0.70f, -0.33f};

inline constexpr double kNoShortCut = 1e9;  // for finish()

class Decoder {
 public:
  /// 11 to 30 ms. Throws std::runtime_error.
  Decoder(std::shared_ptr<const Knowledge> knowledge, const std::string& model_dir);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  const Knowledge* knowledge() const;

  /// Starts an utterance. False if the grammar could not be set (the message is in error()).
  bool start(const AgentKnowledge& agent, const SpeechGrammar& grammar, const CepstralMean& mean);
  /// PCM16 at 16 kHz.
  void feed(std::span<const std::int16_t> pcm);
  std::string partial();

  struct Final {
    std::string text;           // by the grammar; empty: no sentence fits
    std::string gate_text;      // by the trigram model
    double gate_score = 0;      // per frame
    bool gate_skipped = false;  // the gate's first pass was clear enough
    double score = 0;           // the grammar's, per frame
    int frames = 0;
    std::vector<vendors::AsrWord> words;
    CepstralMean mean{};
  };
  /// The gate's later passes take some 40 ms. Where its first pass scores above `clear_score` per frame they are left
  /// to drop(), after the result has been told.
  Final finish(double clear_score);
  /// Ends what is left of an utterance; nothing if there is none.
  void drop();
  const std::string& error() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxgate::engines
