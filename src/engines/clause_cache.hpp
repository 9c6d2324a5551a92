#pragma once
// Wire audio of clauses that were said before, shared by all calls, with single flight: one synthesis however many
// calls want the same clause at the same moment.

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "voxgate/vendors/tts_stream.hpp"

namespace voxgate::engines {

struct ClauseAudio {
  std::vector<std::uint8_t> bytes;
  std::vector<vendors::TtsWord> words;  // from the start of the clause
  std::int64_t ms = 0;
};

/// Least recently used goes first. Threads: any.
class ClauseCache {
 public:
  explicit ClauseCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  enum class Answer { hit, miss, in_flight };
  struct Found {
    Answer answer = Answer::miss;
    std::shared_ptr<const ClauseAudio> audio;
  };
  /// A miss makes the caller the one who synthesises: it must call put() or give_up(). In flight: `when_settled` is
  /// called once, on any thread, when it is worth asking again.
  Found find(const std::string& key, std::function<void()> when_settled);
  void put(const std::string& key, std::shared_ptr<const ClauseAudio> audio);
  void give_up(const std::string& key);

  struct Stats {
    std::size_t bytes = 0, clauses = 0;
    std::uint64_t hits = 0, misses = 0, evictions = 0;
  };
  Stats stats() const;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const ClauseAudio> audio;
    std::size_t cost = 0;
  };
  void settle(const std::string& key);

  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // last used first
  std::unordered_map<std::string, std::list<Entry>::iterator> index_;
  std::unordered_map<std::string, std::vector<std::function<void()>>> flights_;
  Stats stats_;
};

}  // namespace voxgate::engines
