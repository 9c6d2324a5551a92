#pragma once
// One voice stream: the loop's half queues clauses, the worker's half synthesises them in order.

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "engines/clause_cache.hpp"
#include "engines/flite_voice.hpp"
#include "voxgate/audio/resampler.hpp"
#include "voxgate/engines/voice.hpp"

namespace voxgate::engines {

struct Voice::Impl : std::enable_shared_from_this<Voice::Impl> {
  Impl(VoiceConfig c, Submit s) : config(c), submit(std::move(s)), cache(c.cache_bytes) {}

  using Bytes = std::function<bool(std::vector<std::uint8_t> bytes, std::vector<vendors::TtsWord>* words)>;
  /// Synthesises into wire format; false if `sink` stopped it. `kept`, if given, receives a copy of everything.
  bool synthesize(FliteVoice& voice, const std::string& text, const audio::AudioFormat& wire, const Bytes& sink,
                  ClauseAudio* kept);
  static std::string cache_key(const std::string& voice, const audio::AudioFormat& wire, const std::string& text);
  bool cacheable(const std::string& text) const {
    return config.cache_bytes != 0 && text.size() <= config.max_cached_chars;
  }

  const VoiceConfig config;
  const Submit submit;
  ClauseCache cache;
  std::atomic<std::uint64_t> next_key{1}, synthesised_ms{0}, refused_jobs{0};
  std::atomic<std::size_t> streams{0};
};

class SpeakingCore : public std::enable_shared_from_this<SpeakingCore> {
 public:
  SpeakingCore(std::shared_ptr<Voice::Impl> home, FliteVoice& voice, std::string voice_name, audio::AudioFormat wire,
               Post post, vendors::EventSink<vendors::TtsEvent> sink);

  // Loop.
  void ready();
  void begin(vendors::UtteranceId id);
  void text(vendors::UtteranceId id, std::string_view text);
  void end(vendors::UtteranceId id);
  void cancel(vendors::UtteranceId id);
  void close();    // Cancelled for what is begun, then Closed
  void silence();  // no events any more

  // Any thread.
  void wake();

 private:
  struct Command {
    vendors::UtteranceId id = 0;
    std::string text;
    bool last = false;  // no more text
  };
  void push(Command command);
  void refuse();
  bool is_live(vendors::UtteranceId id);
  void deliver(vendors::TtsEvent event, vendors::UtteranceId id, bool ends = false);

  // Worker.
  void work();
  bool say(const Command& command);  // false: another call is synthesising the same clause
  void say_cached(vendors::UtteranceId id, const ClauseAudio& audio);
  void send(vendors::UtteranceId id, std::vector<std::uint8_t> bytes, std::vector<vendors::TtsWord>* words);

  const std::shared_ptr<Voice::Impl> home_;
  FliteVoice& voice_;
  const std::string voice_name_;
  const audio::AudioFormat wire_;
  const std::uint64_t key_;
  const Post post_;

  vendors::EventSink<vendors::TtsEvent> sink_;  // loop only
  bool closed_ = false;                         // loop only

  std::mutex mutex_;  // guards what follows
  std::deque<Command> inbox_;
  std::size_t queued_chars_ = 0;
  std::set<vendors::UtteranceId> live_;  // begun, not yet ended by Done, Cancelled or Failed
  bool scheduled_ = false;
  bool again_ = false;

  // Worker only.
  vendors::UtteranceId current_ = 0;
  std::size_t sent_bytes_ = 0;          // of the current utterance
  std::size_t clause_start_bytes_ = 0;  // where in it the clause began
};

}  // namespace voxgate::engines
