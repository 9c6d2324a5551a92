#include "engines/clause_cache.hpp"

#include <utility>

namespace voxgate::engines {

ClauseCache::Found ClauseCache::find(const std::string& key, std::function<void()> when_settled) {
  std::lock_guard lock(mutex_);
  const auto it = index_.find(key);
  if (it != index_.end()) {
    entries_.splice(entries_.begin(), entries_, it->second);
    ++stats_.hits;
    return {Answer::hit, it->second->audio};
  }
  const auto [flight, first] = flights_.try_emplace(key);
  if (first) {
    ++stats_.misses;
    return {Answer::miss, nullptr};
  }
  flight->second.push_back(std::move(when_settled));
  return {Answer::in_flight, nullptr};
}

void ClauseCache::put(const std::string& key, std::shared_ptr<const ClauseAudio> audio) {
  {
    std::lock_guard lock(mutex_);
    const std::size_t cost = audio->bytes.size() + key.size() + audio->words.size() * sizeof(vendors::TtsWord) + 128;
    if (cost <= max_bytes_ / 4 && !index_.contains(key)) {
      entries_.push_front({key, std::move(audio), cost});
      index_[key] = entries_.begin();
      stats_.bytes += cost;
      while (stats_.bytes > max_bytes_) {
        stats_.bytes -= entries_.back().cost;
        index_.erase(entries_.back().key);
        entries_.pop_back();
        ++stats_.evictions;
      }
    }
  }
  settle(key);
}

void ClauseCache::give_up(const std::string& key) {
  settle(key);
}

void ClauseCache::settle(const std::string& key) {
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard lock(mutex_);
    const auto flight = flights_.find(key);
    if (flight == flights_.end()) return;
    waiting.swap(flight->second);
    flights_.erase(flight);
  }
  for (auto& wake : waiting) wake();
}

ClauseCache::Stats ClauseCache::stats() const {
  std::lock_guard lock(mutex_);
  Stats out = stats_;
  out.clauses = entries_.size();
  return out;
}

}  // namespace voxgate::engines
