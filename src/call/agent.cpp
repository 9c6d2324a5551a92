#include "voxgate/call/agent.hpp"

namespace voxgate::call {
namespace {

using settings::Meta;
using settings::Visitor;

void describe_endpointing(Visitor& v, dialog::EndpointSettings& e) {
  if (!v.enter("endpointing", "When the caller's turn is over; milliseconds of silence.")) return;
  v.field("silence_ms", e.silence, Meta("Where the words say nothing either way.", 100, 5000));
  v.field("silence_complete_ms", e.silence_complete, Meta("Where the words look finished.", 100, 5000));
  v.field("silence_incomplete_ms", e.silence_incomplete, Meta("Where the words look unfinished.", 100, 10000));
  v.field("min_silence_ms", e.min_silence, Meta("Never less.", 100, 5000));
  v.field("max_silence_ms", e.max_silence, Meta("Never more.", 200, 20000));
  v.field("max_turn_ms", e.max_turn, Meta("A turn longer than this is taken.", 1000, 300000));
  v.field("no_text_ms", e.no_text, Meta("Silence after a voice without words until it counts as noise.", 200, 20000));
  v.field("eager_silence_ms", e.eager_silence,
          Meta("Silence after which the reply is prepared on suspicion.", 50, 5000));
  v.field("eager_stable_ms", e.eager_stable, Meta("The words must not have changed for so long.", 0, 5000));
  std::int64_t tries = e.max_eager;
  v.field("max_eager", tries, Meta("Replies prepared on suspicion per turn; 0: none.", 0, 10));
  e.max_eager = static_cast<int>(tries);
  v.leave();
}

void describe_barge_in(Visitor& v, dialog::BargeInSettings& b) {
  if (!v.enter("barge_in", "When the caller may interrupt.")) return;
  v.field("enabled", b.enabled, Meta("Off: the caller is heard only when the agent is silent."));
  v.field("hold_speech_ms", b.hold_speech, Meta("Speech that pauses the agent.", 40, 2000));
  v.field("hold_window_ms", b.hold_window, Meta("... within this time.", 40, 1200));
  v.field("confirm_speech_ms", b.confirm_speech, Meta("Speech that interrupts it.", 40, 5000));
  v.field("confirm_window_ms", b.confirm_window, Meta("... within this time.", 40, 1200));
  std::int64_t words = b.min_words;
  v.field("min_words", words, Meta("Words beyond mm-hmm that interrupt; 0: words alone never do.", 0, 20));
  b.min_words = static_cast<int>(words);
  v.field("resume_after_ms", b.resume_after, Meta("Quiet after a pause until the agent goes on.", 100, 10000));
  v.leave();
}

void describe_turns(Visitor& v, TurnSettings& t) {
  if (!v.enter("turns", "How the agent takes turns.")) return;
  describe_endpointing(v, t.endpointing);
  describe_barge_in(v, t.barge_in);
  v.field("no_input_ms", t.no_input, Meta("Silence until the agent asks again.", 1000, 120000));
  v.field("max_no_input", t.max_no_input, Meta("Asked in vain so often, it says farewell.", 0, 20));
  v.field("max_call_s", t.max_call, Meta("Longest call in seconds.", 5, 86400));
  v.field("final_patience_ms", t.final_patience, Meta("Wait for the recogniser's last word.", 50, 20000));
  v.field("reply_patience_ms", t.reply_patience,
          Meta("Wait for the first sound of a reply; then the apology.", 500, 60000));
  v.field("keypad_gap_ms", t.keypad_gap, Meta("Pause after a key that ends the input.", 200, 20000));
  v.leave();
}

void describe_service(Visitor& v, const char* key, const char* doc, std::string& service, std::string* voice) {
  if (!v.enter(key, doc)) return;
  v.field("service", service, Meta("Name of the service."));
  if (voice != nullptr) v.field("voice", *voice, Meta("Name of the voice."));
  v.leave();
}

}  // namespace

void describe(Visitor& v, AgentSpec& agent) {
  v.field("name", agent.name, Meta("Name of the agent; its file's name unless given."));
  v.field("description", agent.description, Meta("For people."));
  std::string kind = agent.kind == AgentSpec::Kind::echo ? "echo" : "dialog";
  v.field("kind", kind, Meta::one_of("dialog: talks. echo: sends back what it hears.", {"dialog", "echo"}));
  agent.kind = kind == "echo" ? AgentSpec::Kind::echo : AgentSpec::Kind::dialog;
  describe_service(v, "asr", "Recogniser.", agent.asr, nullptr);
  describe_service(v, "llm", "What decides the words.", agent.llm, nullptr);
  describe_service(v, "tts", "Voice.", agent.tts, &agent.voice);
  describe_turns(v, agent.turns);
  v.field("farewell", agent.farewell, Meta("Said when the call has to end."));
  v.field("apology", agent.apology, Meta("Said when no reply comes."));
  v.raw("script", agent.script, Meta("The scripted dialog."));
}

}  // namespace voxgate::call
