#include "engines/speaking_core.hpp"

#include <algorithm>

namespace voxgate::engines {

using vendors::TtsEvent;
using vendors::TtsWord;
using vendors::UtteranceId;

namespace {

vendors::Error overload(const char* message) {
  vendors::Error error;
  error.kind = vendors::Error::Kind::server;
  error.retryable = true;
  error.message = message;
  return error;
}

}  // namespace

SpeakingCore::SpeakingCore(std::shared_ptr<Voice::Impl> home, FliteVoice& voice, std::string voice_name,
                           audio::AudioFormat wire, Post post, vendors::EventSink<TtsEvent> sink)
    : home_(std::move(home)),
      voice_(voice),
      voice_name_(std::move(voice_name)),
      wire_(wire),
      key_(home_->next_key.fetch_add(1)),
      post_(std::move(post)),
      sink_(std::move(sink)) {}

// ---- the loop's half

void SpeakingCore::ready() {
  deliver(vendors::TtsReady{}, 0);
}

void SpeakingCore::begin(UtteranceId id) {
  if (closed_) return;
  std::lock_guard lock(mutex_);
  live_.insert(id);
}

void SpeakingCore::text(UtteranceId id, std::string_view text) {
  if (closed_ || text.empty() || !is_live(id)) return;
  bool too_much = false;
  {
    std::lock_guard lock(mutex_);
    too_much = queued_chars_ + text.size() > home_->config.max_queued_chars;
    if (too_much) {
      std::erase_if(inbox_, [&](const Command& c) {
        if (c.id == id) queued_chars_ -= c.text.size();
        return c.id == id;
      });
    }
  }
  if (too_much) {
    deliver(vendors::TtsFailed{id, overload("too much text is waiting to be spoken")}, id, true);
    return;
  }
  push({id, std::string(text), false});
}

void SpeakingCore::end(UtteranceId id) {
  if (!closed_ && is_live(id)) push({id, {}, true});
}

void SpeakingCore::cancel(UtteranceId id) {
  {
    std::lock_guard lock(mutex_);
    if (live_.erase(id) == 0) return;
    std::erase_if(inbox_, [&](const Command& c) {
      if (c.id == id) queued_chars_ -= c.text.size();
      return c.id == id;
    });
  }
  deliver(vendors::TtsCancelled{id}, 0);
}

void SpeakingCore::close() {
  if (closed_) return;
  std::set<UtteranceId> open;
  {
    std::lock_guard lock(mutex_);
    open = live_;
  }
  for (const UtteranceId id : open) cancel(id);
  closed_ = true;
  deliver(vendors::TtsClosed{}, 0);
}

void SpeakingCore::silence() {
  closed_ = true;
  sink_ = nullptr;
  std::lock_guard lock(mutex_);
  live_.clear();
  inbox_.clear();
  queued_chars_ = 0;
}

bool SpeakingCore::is_live(UtteranceId id) {
  std::lock_guard lock(mutex_);
  return live_.contains(id);
}

void SpeakingCore::push(Command command) {
  {
    std::lock_guard lock(mutex_);
    queued_chars_ += command.text.size();
    inbox_.push_back(std::move(command));
  }
  wake();
}

void SpeakingCore::wake() {
  {
    std::lock_guard lock(mutex_);
    if (scheduled_) {
      again_ = true;
      return;
    }
    if (inbox_.empty()) return;
    scheduled_ = true;
    again_ = false;
  }
  auto self = shared_from_this();
  if (home_->submit(key_, [self] { self->work(); })) return;
  ++home_->refused_jobs;
  refuse();
}

/// The worker pool has no room: what waits here fails, so that the call can go on without it.
void SpeakingCore::refuse() {
  std::set<UtteranceId> lost;
  {
    std::lock_guard lock(mutex_);
    scheduled_ = false;
    for (const Command& command : inbox_) lost.insert(command.id);
    inbox_.clear();
    queued_chars_ = 0;
  }
  for (const UtteranceId id : lost) {
    deliver(vendors::TtsFailed{id, overload("the voice has no room for this text")}, id, true);
  }
}

/// `id` other than 0: the event is dropped unless that utterance still lives when it arrives; `ends`: it is its last.
void SpeakingCore::deliver(TtsEvent event, UtteranceId id, bool ends) {
  auto self = shared_from_this();
  auto shared = std::make_shared<TtsEvent>(std::move(event));
  post_([self, shared, id, ends] {
    if (!self->sink_) return;
    if (id != 0) {
      std::lock_guard lock(self->mutex_);
      if (ends ? self->live_.erase(id) == 0 : !self->live_.contains(id)) return;
    }
    const auto sink = self->sink_;  // the stream may be destroyed by what it is told
    sink(std::move(*shared));
  });
}

// ---- the worker's half

void SpeakingCore::work() {
  for (;;) {
    Command command;
    {
      std::lock_guard lock(mutex_);
      if (inbox_.empty()) {
        scheduled_ = false;
        return;
      }
      again_ = false;
      command = std::move(inbox_.front());
      inbox_.pop_front();
      queued_chars_ -= command.text.size();
      if (!live_.contains(command.id)) continue;
    }
    if (current_ != command.id) {
      current_ = command.id;
      sent_bytes_ = 0;
    }
    if (command.last) {
      deliver(vendors::TtsDone{command.id, wire_.ms_in(sent_bytes_)}, command.id, true);
      continue;
    }
    if (say(command)) continue;
    std::lock_guard lock(mutex_);
    if (!live_.contains(command.id)) continue;
    queued_chars_ += command.text.size();
    inbox_.push_front(std::move(command));
    if (again_) continue;
    scheduled_ = false;
    return;
  }
}

bool SpeakingCore::say(const Command& command) {
  const UtteranceId id = command.id;
  clause_start_bytes_ = sent_bytes_;
  const auto pass_on = [&](std::vector<std::uint8_t> bytes, std::vector<TtsWord>* words) {
    if (!is_live(id)) return false;
    send(id, std::move(bytes), words);
    return true;
  };
  if (!home_->cacheable(command.text)) {
    home_->synthesize(voice_, command.text, wire_, pass_on, nullptr);
    return true;
  }
  const std::string key = Voice::Impl::cache_key(voice_name_, wire_, command.text);
  const std::weak_ptr<SpeakingCore> weak = weak_from_this();
  const auto found = home_->cache.find(key, [weak] {
    if (const auto self = weak.lock()) self->wake();
  });
  if (found.answer == ClauseCache::Answer::in_flight) return false;
  if (found.answer == ClauseCache::Answer::hit) {
    say_cached(id, *found.audio);
    return true;
  }
  auto kept = std::make_shared<ClauseAudio>();
  bool whole = false;
  try {
    whole = home_->synthesize(voice_, command.text, wire_, pass_on, kept.get());
  } catch (...) {
    home_->cache.give_up(key);
    throw;
  }
  if (whole) {
    home_->cache.put(key, std::move(kept));
  } else {
    home_->cache.give_up(key);
  }
  return true;
}

void SpeakingCore::say_cached(UtteranceId id, const ClauseAudio& audio) {
  std::vector<TtsWord> words = audio.words;
  send(id, audio.bytes, &words);
}

void SpeakingCore::send(UtteranceId id, std::vector<std::uint8_t> bytes, std::vector<TtsWord>* words) {
  if (words != nullptr && !words->empty()) {
    const std::int64_t offset = wire_.ms_in(clause_start_bytes_);
    for (TtsWord& word : *words) {
      word.start_ms += offset;
      word.end_ms += offset;
    }
    deliver(vendors::TtsMarks{id, std::move(*words)}, id);
  }
  if (bytes.empty()) return;
  sent_bytes_ += bytes.size();
  deliver(vendors::TtsAudio{id, std::move(bytes)}, id);
}

}  // namespace voxgate::engines
