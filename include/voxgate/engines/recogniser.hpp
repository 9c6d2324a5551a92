#pragma once
// The embedded recogniser: pocketsphinx with one grammar per dialog state, and a trigram model of the agent's whole
// domain beside it as a gate against sentences that no grammar has. No network, no keys.
//
// Telephone speech reaches a 16 kHz acoustic model by spectral folding (see telephone_band.hpp); the figures are in the
// accuracy test of this room. It serves closed domains with re-prompts, not dictation.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "voxgate/base/metrics.hpp"
#include "voxgate/base/time.hpp"
#include "voxgate/engines/executor.hpp"
#include "voxgate/vendors/agent_speech.hpp"
#include "voxgate/vendors/asr_stream.hpp"

namespace voxgate::engines {

struct RecogniserConfig {
  std::string model_dir = "/usr/share/pocketsphinx/model/en-us";  // holds en-us/ and cmudict-en-us.dict
  std::size_t max_decoders = 16;        // at most this many callers are heard at the same time; about 10 MB each
  double gate_threshold = -44.0;        // trigram path score per 10 ms frame; lower means "not one of our sentences"
  Millis partial_every{200};            // audio between two partial results
  Millis max_pending_audio{15000};      // per stream, while it waits for a decoder or a thread
  Millis max_turn{60000};               // audio beyond this in one turn is not decoded
  std::size_t model_sentences = 25000;  // sample from which the trigram model is counted
};

/// Process-wide. Threads: everything may be called from any thread, except that a stream belongs to its loop.
/// Streams may outlive the Recogniser.
class Recogniser {
 public:
  /// Throws std::runtime_error where the model files are missing.
  Recogniser(RecogniserConfig config, Submit submit, metrics::Registry* registry = nullptr);
  ~Recogniser();
  Recogniser(const Recogniser&) = delete;
  Recogniser& operator=(const Recogniser&) = delete;

  /// Replaces the agents. Streams that are open keep what they were opened with. Throws std::runtime_error with one
  /// line that names the agent, the place and the word or pattern that is wrong; nothing has changed then.
  void load(std::vector<vendors::AgentSpeech> agents);
  bool knows(const std::string& agent) const;

  /// `wire`: mulaw, alaw or s16le at 8 or 16 kHz. nullptr for an agent that was not loaded or another format.
  /// The stream is gated: audio() takes speech with its pre-roll; the first audio after a turn's end starts the next.
  std::unique_ptr<vendors::AsrStream> open(const std::string& agent, audio::AudioFormat wire, Post post_to_loop,
                                           vendors::EventSink<vendors::AsrEvent> sink);

  struct Heard {
    std::string text;
    double confidence = 0;
    double gate_score = 0;  // per frame; 0 where the gate does not apply
    std::string gate_text;  // what the trigram model heard
    std::vector<vendors::AsrWord> words;
  };
  /// A whole recording at once; blocks. `grammar` is "AGENT/STATE", or empty for everything the agent understands.
  Heard recognise(const std::string& agent, const std::string& grammar, std::span<const std::int16_t> pcm, int rate_hz);

  /// Makes decoders before the first call needs them; blocks.
  void prewarm(std::size_t decoders);
  /// Frees idle decoders beyond `keep`.
  void trim(std::size_t keep);

  struct Stats {
    std::size_t streams = 0;   // open
    std::size_t decoders = 0;  // made
    std::size_t decoders_in_use = 0;
    std::size_t waiting = 0;  // streams that wait for one
    std::uint64_t turns = 0;
    std::uint64_t rejected = 0;  // turns with a confidence below 0.5
    std::uint64_t dropped_audio_ms = 0;
    std::uint64_t refused_jobs = 0;  // the worker pool had no room
  };
  Stats stats() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace voxgate::engines
