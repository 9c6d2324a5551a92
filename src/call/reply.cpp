#include "call/reply.hpp"

#include <algorithm>

#include "voxgate/base/text.hpp"

namespace voxgate::call {
namespace {

constexpr std::size_t kMaxClausesInVoice = 2;  // one being spoken, one being made

// Byte offsets of the ends of the blank-separated words of `text`.
std::vector<std::size_t> word_ends(std::string_view text) {
  std::vector<std::size_t> out;
  for (std::size_t i = 1; i <= text.size(); ++i) {
    if (text[i - 1] != ' ' && (i == text.size() || text[i] == ' ')) out.push_back(i);
  }
  return out;
}

}  // namespace

void Reply::add_text(std::string_view text, Instant now) {
  if (text.empty()) return;
  if (!has_text_) first_text_at_ = now;
  has_text_ = true;
  collect(splitter_.push(text, now));
}

void Reply::finish_text() {
  if (text_finished_) return;
  text_finished_ = true;
  collect(splitter_.finish());
}

void Reply::poll(Instant now) {
  if (text_finished_) return;
  collect(splitter_.poll(now));
}

void Reply::collect(std::vector<dialog::SpeechPiece> pieces) {
  for (dialog::SpeechPiece& piece : pieces) {
    if (!piece.spoken.empty()) waiting_.push_back(std::move(piece));
  }
}

void Reply::feed(vendors::TtsStream& tts, const Playout& playout, Millis ask_ahead, vendors::UtteranceId& next_id,
                 Instant now) {
  if (speculative_) return;
  while (!waiting_.empty() && in_voice_ < kMaxClausesInVoice && playout.unsent() < ask_ahead) {
    dialog::SpeechPiece piece = std::move(waiting_.front());
    waiting_.pop_front();
    if (first_clause_at_ == Instant{}) first_clause_at_ = now;
    Clause clause;
    clause.id = ++next_id;
    clause.piece.text = text::trim(piece.written);
    clause.spoken = std::move(piece.spoken);
    if (!spoken_text_.empty()) spoken_text_ += ' ';
    spoken_text_ += clause.spoken;
    clauses_.push_back(std::move(clause));
    ++in_voice_;
    // The voice may answer from within these calls: hand over copies that do not live in the vector.
    const vendors::UtteranceId id = clauses_.back().id;
    const std::string words = clauses_.back().spoken;
    tts.begin(id);
    tts.text(id, words);
    tts.end(id);
  }
}

Reply::Clause* Reply::find(vendors::UtteranceId id) {
  const auto it = std::find_if(clauses_.begin(), clauses_.end(), [id](const Clause& c) { return c.id == id; });
  return it == clauses_.end() ? nullptr : &*it;
}

bool Reply::on_audio(vendors::UtteranceId id, std::span<const std::uint8_t> bytes, Playout& playout, Instant now) {
  Clause* clause = find(id);
  if (clause == nullptr || clause->over) return false;
  if (first_audio_at_ == Instant{}) first_audio_at_ = now;
  if (clause->start < 0) {
    clause->start = playout.end();
    playout.add_boundary(clause->start);
  }
  clause->bytes += static_cast<Playout::Position>(playout.push(bytes, now));
  return true;
}

void Reply::on_marks(const vendors::TtsMarks& marks, const audio::AudioFormat& format, Playout& playout) {
  Clause* clause = find(marks.utterance);
  if (clause == nullptr) return;
  const Playout::Position start = clause->start < 0 ? playout.end() : clause->start;
  for (const vendors::TtsWord& word : marks.words) {
    playout.add_boundary(start + static_cast<Playout::Position>(format.bytes_for_ms(word.start_ms)));
  }
  // Word times are those of the spoken words; they fit the written ones only where both have equally many.
  const auto ends = word_ends(clause->piece.text);
  auto& known = clause->piece.word_ends;
  if (ends.size() < known.size() + marks.words.size()) return;
  for (const vendors::TtsWord& word : marks.words) known.emplace_back(ends[known.size()], word.end_ms);
}

bool Reply::on_utterance_over(vendors::UtteranceId id, bool failed, Playout& playout, Instant now) {
  Clause* clause = find(id);
  if (clause == nullptr || clause->over) return false;
  clause->over = true;
  clause->piece.complete = true;
  if (word_ends(clause->piece.text).size() != clause->piece.word_ends.size()) clause->piece.word_ends.clear();
  --in_voice_;
  if (failed) ++failed_;
  if (in_voice_ == 0 && waiting_.empty() && text_finished_) {
    playout.finish(now);
  } else if (clause->bytes != 0) {
    playout.mark_here(now);
  }
  return true;
}

bool Reply::heard_out(const Playout& playout, Instant now) const {
  return !speculative_ && text_finished_ && waiting_.empty() && in_voice_ == 0 && playout.drained(now);
}

std::string Reply::heard_text(Playout::Position heard, const audio::AudioFormat& format) const {
  std::string out;
  for (const Clause& clause : clauses_) {
    if (clause.start < 0 || heard <= clause.start) break;
    dialog::SpokenPiece piece = clause.piece;
    piece.audio_ms = format.ms_in(static_cast<std::size_t>(clause.bytes));
    const std::string part = dialog::heard_text(piece, format.ms_in(static_cast<std::size_t>(heard - clause.start)));
    if (part.empty()) break;
    if (!out.empty()) out += ' ';
    out += part;
    if (part.size() < piece.text.size()) break;
  }
  return out;
}

Millis Reply::heard_audio(Playout::Position heard, const audio::AudioFormat& format) const {
  if (clauses_.empty() || clauses_.front().start < 0 || heard <= clauses_.front().start) return Millis{0};
  return Millis(format.ms_in(static_cast<std::size_t>(heard - clauses_.front().start)));
}

void Reply::cancel(vendors::TtsStream& tts) {
  for (Clause& clause : clauses_) {
    if (clause.over) continue;
    clause.over = true;
    tts.cancel(clause.id);
  }
  in_voice_ = 0;
  waiting_.clear();
}

}  // namespace voxgate::call
