#include "voxgate/dialog/history.hpp"

#include <algorithm>

namespace voxgate::dialog {

using vendors::Message;
using vendors::Role;

std::string heard_text(const SpokenPiece& piece, std::int64_t heard_ms) {
  if (piece.complete && heard_ms >= piece.audio_ms) return piece.text;
  if (heard_ms <= 0) return {};
  std::size_t upto = 0;
  if (!piece.word_ends.empty()) {
    for (const auto& [bytes, end_ms] : piece.word_ends) {
      if (end_ms > heard_ms) break;
      upto = bytes;
    }
  } else if (piece.audio_ms > 0) {
    const double share = std::min(1.0, static_cast<double>(heard_ms) / static_cast<double>(piece.audio_ms));
    upto = static_cast<std::size_t>(share * static_cast<double>(piece.text.size()));
    // Back to the end of the last whole word.
    while (upto > 0 && upto < piece.text.size() && piece.text[upto] != ' ') --upto;
  }
  std::string out = piece.text.substr(0, std::min(upto, piece.text.size()));
  while (!out.empty() && (out.back() == ' ' || out.back() == '\n')) out.pop_back();
  return out;
}

void History::add_user(std::string text) {
  Message message;
  message.role = Role::user;
  message.text = std::move(text);
  messages_.push_back(std::move(message));
  trim();
}

void History::extend_user(std::string_view text) {
  while (!messages_.empty() && messages_.back().role == Role::assistant && messages_.back().text.empty()) {
    messages_.pop_back();
  }
  if (messages_.empty() || messages_.back().role != Role::user) {
    add_user(std::string(text));
    return;
  }
  if (!messages_.back().text.empty() && !text.empty()) messages_.back().text += ' ';
  messages_.back().text += text;
}

void History::add_assistant(std::string heard, std::string state, bool cut) {
  if (heard.empty() && state.empty()) return;
  Message message;
  message.role = Role::assistant;
  message.text = std::move(heard);
  if (cut && !message.text.empty()) message.text += "\u2014";
  message.state = std::move(state);
  message.interrupted = cut;
  messages_.push_back(std::move(message));
  trim();
}

std::string_view History::state() const {
  for (auto it = messages_.rbegin(); it != messages_.rend(); ++it) {
    if (it->role == Role::assistant && !it->state.empty()) return it->state;
  }
  return {};
}

void History::trim() {
  while (messages_.size() > max_messages_) {
    messages_.erase(messages_.begin(), messages_.begin() + 2);
  }
}

}  // namespace voxgate::dialog
