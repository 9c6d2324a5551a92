#pragma once
// What an agent is: which services speak for it and how it takes turns. Read from an agent file, then const and shared
// by its calls; a reload makes a new one and leaves live calls theirs.

#include <memory>
#include <string>

#include "voxgate/base/settings.hpp"
#include "voxgate/base/time.hpp"
#include "voxgate/dialog/barge_in.hpp"
#include "voxgate/dialog/endpointing.hpp"

namespace voxgate::call {

struct TurnSettings {
  dialog::EndpointSettings endpointing;
  dialog::BargeInSettings barge_in;
  Millis no_input{6000};          // silence after the agent's last word until it asks again
  std::int64_t max_no_input = 3;  // then farewell
  std::chrono::seconds max_call{1800};
  Millis final_patience{1500};  // from the end of a turn to the recogniser's last word; then the partial counts
  Millis reply_patience{8000};  // from the committed turn to the first audio; then the apology
  Millis keypad_gap{2500};      // silence after a key that ends the input
  Millis cut_in{250};           // interrupted this soon after our first sound, it was us who cut in: turns are merged
  Millis ask_ahead{2000};       // audio left to send below which the voice gets the next clause
};

struct AgentSpec {
  enum class Kind { dialog, echo };

  std::string name;
  std::string description;
  Kind kind = Kind::dialog;
  std::string asr = "embedded", llm = "scripted", tts = "embedded", voice = "slt";
  TurnSettings turns;
  std::string farewell = "I have to end the call now. Goodbye.";
  std::string apology = "I am sorry, something went wrong. Could you say that again?";
  std::string script;  // JSON text of the scripted dialog; empty where another model answers
};

/// Walks over every key of an agent file.
void describe(settings::Visitor& v, AgentSpec& agent);

}  // namespace voxgate::call
