#pragma once
// Inside of the recogniser: the pool of decoders and what streams share with it.

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "engines/decoder.hpp"
#include "voxgate/engines/recogniser.hpp"

namespace voxgate::engines {

class ListeningCore;

/// Maps the gate's score per frame to 0..1; the threshold itself is 0.5. A result below 0.5 is rejected.
struct Judgement {
  double confidence = 0;
  bool rejected = true;
};
Judgement judge(const Decoder::Final& result, bool gated, double threshold);

struct Recogniser::Impl : std::enable_shared_from_this<Recogniser::Impl> {
  Impl(RecogniserConfig c, Submit s) : config(std::move(c)), submit(std::move(s)) {}

  /// A decoder made from `wanted`, or nullptr when all are in use. Threads: workers.
  std::unique_ptr<Decoder> acquire(const std::shared_ptr<const Knowledge>& wanted);
  /// As acquire(), but puts `core` into the queue of those that are woken when a decoder is given back.
  std::unique_ptr<Decoder> acquire_or_wait(const std::shared_ptr<const Knowledge>& wanted,
                                           const std::shared_ptr<ListeningCore>& core);
  void give_back(std::unique_ptr<Decoder> decoder);
  /// Wakes the first stream that waits, if there is a decoder for it.
  void wake_next();
  std::shared_ptr<const Knowledge> current() const;

  const RecogniserConfig config;
  const Submit submit;

  mutable std::mutex mutex;  // guards what follows
  std::shared_ptr<const Knowledge> knowledge;
  std::vector<std::unique_ptr<Decoder>> idle;  // last used last
  std::size_t made = 0;
  std::deque<std::weak_ptr<ListeningCore>> waiters;

  // Any thread.
  std::atomic<std::uint64_t> next_key{1};
  std::atomic<std::size_t> streams{0}, in_use{0};
  std::atomic<std::uint64_t> turns{0}, rejected{0}, dropped_audio_ms{0}, refused_jobs{0};
};

}  // namespace voxgate::engines
