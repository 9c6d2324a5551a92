#pragma once
// One recogniser stream: the loop's half puts commands into an inbox, the worker's half decodes them in order.

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "engines/recogniser_impl.hpp"
#include "engines/telephone_band.hpp"

namespace voxgate::engines {

/// Shared by the stream (loop) and at most one job at a time (worker). The stream closes it before it goes; a job that
/// is under way then finishes its step, returns the decoder and posts nothing that arrives.
class ListeningCore : public std::enable_shared_from_this<ListeningCore> {
 public:
  ListeningCore(std::shared_ptr<Recogniser::Impl> home, std::shared_ptr<const Knowledge> knowledge,
                const AgentKnowledge& agent, audio::AudioFormat wire, Post post,
                vendors::EventSink<vendors::AsrEvent> sink);
  ~ListeningCore();

  // Loop.
  void expect(const vendors::Expectation& expectation);
  void audio(std::span<const std::uint8_t> bytes);
  void end_turn();
  void discard_turn();
  void finish();
  void close();  // no events after it

  /// Closed has been delivered.
  bool is_closed() const { return closed_told_; }

  // Any thread: runs the inbox on a worker unless a job is already on its way.
  void wake();

  /// In the queue for a decoder; guarded by the home's mutex.
  bool queued = false;

 private:
  struct Audio {
    std::vector<std::uint8_t> bytes;
  };
  struct End {};
  struct Discard {};
  struct Finish {};
  struct Command {
    std::uint32_t turn = 0;
    std::variant<Audio, vendors::Expectation, End, Discard, Finish> body;
  };

  void push(Command command);
  void refuse();
  void deliver(vendors::AsrEvent event, std::uint32_t turn);
  void warn(std::string code, std::string text);

  // Worker.
  void work();
  bool step(Command& command);  // false: a decoder is needed and none is free
  bool hear(std::uint32_t turn, std::span<const std::uint8_t> bytes);
  bool begin_turn();
  void emit_partial(std::uint32_t turn);
  void end(std::uint32_t turn);
  void release();

  const std::shared_ptr<Recogniser::Impl> home_;
  const std::shared_ptr<const Knowledge> knowledge_;
  const AgentKnowledge& agent_;  // in knowledge_
  const audio::AudioFormat wire_;
  const std::uint64_t key_;
  const Post post_;

  // Loop only.
  vendors::EventSink<vendors::AsrEvent> sink_;
  std::uint32_t turn_ = 1;
  bool heard_in_turn_ = false;
  bool full_told_ = false;
  bool ended_ = false;
  bool closed_told_ = false;

  // Both.
  std::atomic<bool> closed_{false};
  std::mutex mutex_;  // guards what follows
  std::deque<Command> inbox_;
  std::size_t inbox_bytes_ = 0;
  bool scheduled_ = false;
  bool again_ = false;  // woken while a job was on its way

  // Worker only (one job at a time).
  TelephoneBand band_;
  std::unique_ptr<Decoder> decoder_;
  std::shared_ptr<const SpeechGrammar> grammar_;
  CepstralMean mean_ = kTelephoneMean;
  bool in_turn_ = false;
  bool wait_told_ = false;
  std::size_t turn_bytes_ = 0, since_partial_ = 0;
  std::string last_text_;
};

}  // namespace voxgate::engines
