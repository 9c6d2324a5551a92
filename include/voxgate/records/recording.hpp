#pragma once
// Stereo recording of a call: caller left, agent right, as mu-law WAV, written off the media threads.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "voxgate/audio/format.hpp"
#include "voxgate/base/metrics.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::records {

/// One call's recording. Owner: the call's shell; thread: its loop. Nothing here blocks: audio goes to the writer
/// through a bounded queue, and on overflow the recording loses audio, never the call.
class Recording {
 public:
  virtual ~Recording() = default;
  /// The caller's audio, in order; placed by the media clock (`at_ms` since the start of the call).
  virtual void caller(std::int64_t at_ms, std::span<const std::uint8_t> wire) = 0;
  /// What was sent to the caller, placed where it began to play.
  virtual void agent(std::int64_t at_ms, std::span<const std::uint8_t> wire) = 0;
  /// The carrier's buffer was emptied: nothing of the agent's sounds after `at_ms`.
  virtual void agent_cut(std::int64_t at_ms) = 0;
  virtual const std::string& path() const = 0;
};

struct RecorderConfig {
  std::string directory;
  std::size_t max_queued_bytes = 64 * 1024 * 1024;  // of all calls together
};

/// Threads: start() from any loop.
class Recorder {
 public:
  /// Throws std::runtime_error where the directory cannot be written.
  Recorder(RecorderConfig config, metrics::Registry& registry);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// The file is named by time and a cleaned-up call id. Destroying the Recording finishes the file.
  std::unique_ptr<Recording> start(const std::string& call_id, audio::AudioFormat caller, audio::AudioFormat agent);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxgate::records
