#pragma once
// The embedded voices: flite in this process. No network, no keys.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "voxgate/base/metrics.hpp"
#include "voxgate/engines/executor.hpp"
#include "voxgate/vendors/tts_stream.hpp"

namespace voxgate::engines {

struct VoiceConfig {
  double duration_stretch = 1.05;         // 1.05 to 1.1 suits telephones; larger is slower
  double level_dbfs = -20.0;              // RMS of speech that every voice is brought to
  std::size_t max_queued_chars = 20'000;  // per stream; more fails the utterance
  std::size_t cache_bytes = 8u << 20;     // wire audio of clauses that were said before, shared by all calls; 0: none
  std::size_t max_cached_chars = 300;     // longer clauses are not kept
};

/// Process-wide. Threads: everything may be called from any thread, except that a stream belongs to its loop. Streams
/// may outlive the Voice. A voice synthesises one clause at a time (its library keeps state in the voice); different
/// voices run in parallel. At a real-time factor of 0.01 one voice serves some 90 agents that speak at once.
class Voice {
 public:
  Voice(VoiceConfig config, Submit submit, metrics::Registry* registry = nullptr);
  ~Voice();
  Voice(const Voice&) = delete;
  Voice& operator=(const Voice&) = delete;

  /// "slt", "rms" and "awb".
  static std::vector<std::string> names();
  static bool has(std::string_view name);

  /// nullptr for a voice that is not there or a rate that is neither 8, 16 nor 24 kHz. text() wants whole clauses;
  /// marks come with the first audio of each clause.
  std::unique_ptr<vendors::TtsStream> open(const std::string& voice, audio::AudioFormat wire, Post post_to_loop,
                                           vendors::EventSink<vendors::TtsEvent> sink);

  /// A whole text at once, PCM16 at 16 kHz; blocks. Empty for an unknown voice.
  std::vector<std::int16_t> synthesize(const std::string& voice, std::string_view text);

  /// Puts fixed prompts into the cache before anybody needs them; blocks.
  void prepare(const std::string& voice, audio::AudioFormat wire, const std::vector<std::string>& clauses);

  struct Stats {
    std::size_t streams = 0;
    std::size_t cached_bytes = 0, cached_clauses = 0;
    std::uint64_t hits = 0, misses = 0, evictions = 0;
    std::uint64_t synthesised_ms = 0;  // of audio
    std::uint64_t refused_jobs = 0;
  };
  Stats stats() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace voxgate::engines
