#pragma once
// The embedded recogniser for `voxctl listen --asr`: everything runs inline, so that media time is the only clock.

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "voxgate/engines/recogniser.hpp"

namespace voxgate::voxctl {

/// Feeds speech with 300 ms of pre-roll and collects the partial texts.
class AsrEar {
 public:
  /// `agent`: a file, or the name of one in config/agents. Throws std::runtime_error with one line.
  AsrEar(const std::string& agent, audio::AudioFormat format);

  /// 20 ms of media; `in_turn` after the detector has seen them.
  void hear(std::span<const std::uint8_t> wire, bool in_turn);

  struct Partial {
    std::string text;
    bool complete = false;
  };
  /// What was recognised since the last call, oldest first.
  std::vector<Partial> take_partials();

  void end_turn();
  void discard_turn();

 private:
  std::unique_ptr<engines::Recogniser> recogniser_;
  std::vector<Partial> partials_;
  std::deque<std::vector<std::uint8_t>> pre_roll_;
  bool feeding_ = false;
  std::unique_ptr<vendors::AsrStream> stream_;  // last: its events reach the members above
};

}  // namespace voxgate::voxctl
