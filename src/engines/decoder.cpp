#include "engines/decoder.hpp"

#include <pocketsphinx.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <utility>

extern "C" {
#include <sphinxbase/cmn.h>
#include <sphinxbase/err.h>
#include <sphinxbase/feat.h>
#include <sphinxbase/fsg_model.h>
#include <sphinxbase/jsgf.h>
#include <sphinxbase/ngram_model.h>
}

namespace voxgate::engines {

namespace {

constexpr std::size_t kMaxSearches = 24;  // grammars kept in a decoder; the oldest makes room
constexpr std::size_t kMaxModels = 8;
constexpr int kFrameMs = 10;

/// The libraries' set-up code (argument tables, logging) is not written for several threads.
std::mutex& setup_mutex() {
  static std::mutex mutex;
  return mutex;
}

struct FreeDecoder {
  void operator()(ps_decoder_t* ps) const { ps_free(ps); }
};
struct FreeConfig {
  void operator()(cmd_ln_t* config) const { cmd_ln_free_r(config); }
};
using DecoderPtr = std::unique_ptr<ps_decoder_t, FreeDecoder>;
using ConfigPtr = std::unique_ptr<cmd_ln_t, FreeConfig>;

DecoderPtr make_decoder(const Knowledge& knowledge, const std::string& model_dir) {
  const std::string acoustic = model_dir + "/en-us";
  const std::string dictionary = knowledge.dictionary().path();
  ConfigPtr config(cmd_ln_init(nullptr, ps_args(), TRUE, "-hmm", acoustic.c_str(), "-dict", dictionary.c_str(),
                               "-remove_noise", "no", "-dictcase", "yes", nullptr));
  if (!config) throw std::runtime_error("the recogniser refuses its settings");
  DecoderPtr ps(ps_init(config.get()));
  if (!ps) throw std::runtime_error("the recogniser cannot read its model in " + acoustic);
  return ps;
}

/// What ps_set_jsgf_string() does, without losing the parsed grammar.
bool set_jsgf(ps_decoder_t* ps, const SpeechGrammar& g) {
  jsgf_t* jsgf = jsgf_parse_string(g.jsgf.c_str(), nullptr);
  if (jsgf == nullptr) return false;
  bool done = false;
  if (jsgf_rule_t* rule = jsgf_get_public_rule(jsgf)) {
    const auto weight = static_cast<float32>(cmd_ln_float32_r(ps_get_config(ps), "-lw"));
    fsg_model_t* fsg = jsgf_build_fsg(jsgf, rule, ps_get_logmath(ps), weight);
    if (fsg != nullptr) {
      done = ps_set_fsg(ps, g.key.c_str(), fsg) == 0;
      fsg_model_free(fsg);  // the search holds its own reference
    }
  }
  jsgf_grammar_free(jsgf);
  return done;
}

/// Words without alternative-pronunciation marks, fillers and silences.
std::string clean_word(const char* word) {
  if (word == nullptr || word[0] == '<' || word[0] == '[' || word[0] == '+' || word[0] == '(') return {};
  std::string out(word);
  const std::size_t mark = out.find('(');
  if (mark != std::string::npos) out.resize(mark);
  return out;
}

std::string clean_text(const char* hypothesis) {
  std::string out;
  if (hypothesis == nullptr) return out;
  std::string_view rest(hypothesis);
  while (!rest.empty()) {
    const std::size_t space = rest.find(' ');
    const std::string word = clean_word(std::string(rest.substr(0, space)).c_str());
    if (!word.empty()) {
      if (!out.empty()) out += ' ';
      out += word;
    }
    rest = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
  }
  return out;
}

std::vector<vendors::AsrWord> words_of(ps_decoder_t* ps) {
  std::vector<vendors::AsrWord> out;
  for (ps_seg_t* seg = ps_seg_iter(ps); seg != nullptr; seg = ps_seg_next(seg)) {
    std::string word = clean_word(ps_seg_word(seg));
    if (word.empty()) continue;
    int first = 0, last = 0;
    ps_seg_frames(seg, &first, &last);
    out.push_back(
        {std::move(word), static_cast<std::int64_t>(first) * kFrameMs, static_cast<std::int64_t>(last + 1) * kFrameMs});
  }
  return out;
}

}  // namespace

struct Decoder::Impl {
  std::shared_ptr<const Knowledge> knowledge;
  DecoderPtr grammar, gate;
  std::deque<std::string> grammars, models;  // searches each decoder holds, oldest use first
  bool running = false;
  bool gate_open = false;  // the gate decoder is inside an utterance
  std::string error;

  /// Moves a search to the end of its list; false: the decoder does not have it.
  static bool touch(std::deque<std::string>& list, const std::string& name) {
    const auto it = std::find(list.begin(), list.end(), name);
    if (it == list.end()) return false;
    list.erase(it);
    list.push_back(name);
    return true;
  }

  bool use_grammar(const SpeechGrammar& g) {
    if (!touch(grammars, g.key)) {
      std::lock_guard lock(setup_mutex());
      if (!set_jsgf(grammar.get(), g)) {
        error = "the grammar '" + g.key + "' is refused by the recogniser";
        return false;
      }
      grammars.push_back(g.key);
    }
    if (ps_set_search(grammar.get(), g.key.c_str()) != 0) return false;
    if (grammars.size() > kMaxSearches) {
      ps_unset_search(grammar.get(), grammars.front().c_str());
      grammars.pop_front();
    }
    return true;
  }

  bool use_model(const AgentKnowledge& agent) {
    if (!touch(models, agent.name)) {
      std::lock_guard lock(setup_mutex());
      ngram_model_t* model = ngram_model_read(ps_get_config(gate.get()), agent.model.path().c_str(), NGRAM_ARPA,
                                              ps_get_logmath(gate.get()));
      if (model == nullptr || ps_set_lm(gate.get(), agent.name.c_str(), model) != 0) {
        if (model != nullptr) ngram_model_free(model);
        error = "the language model of '" + agent.name + "' is refused by the recogniser";
        return false;
      }
      ngram_model_free(model);  // the search holds its own reference
      models.push_back(agent.name);
    }
    if (ps_set_search(gate.get(), agent.name.c_str()) != 0) return false;
    if (models.size() > kMaxModels) {
      ps_unset_search(gate.get(), models.front().c_str());
      models.pop_front();
    }
    return true;
  }

  static void begin(ps_decoder_t* ps, const CepstralMean& mean) {
    cmn_live_set(ps_get_feat(ps)->cmn_struct, mean.data());
    ps_start_stream(ps);
    ps_start_utt(ps);
  }
};

Decoder::Decoder(std::shared_ptr<const Knowledge> knowledge, const std::string& model_dir)
    : impl_(std::make_unique<Impl>()) {
  std::lock_guard lock(setup_mutex());
  err_set_logfp(nullptr);
  impl_->knowledge = std::move(knowledge);
  impl_->grammar = make_decoder(*impl_->knowledge, model_dir);
  impl_->gate = make_decoder(*impl_->knowledge, model_dir);
}

Decoder::~Decoder() {
  drop();
}

const Knowledge* Decoder::knowledge() const {
  return impl_->knowledge.get();
}

bool Decoder::start(const AgentKnowledge& agent, const SpeechGrammar& grammar, const CepstralMean& mean) {
  drop();
  impl_->error.clear();
  if (!impl_->use_grammar(grammar)) return false;
  const bool gated = grammar.in_domain && impl_->use_model(agent);
  Impl::begin(impl_->grammar.get(), mean);
  if (gated) Impl::begin(impl_->gate.get(), mean);
  impl_->gate_open = gated;
  impl_->running = true;
  return true;
}

void Decoder::feed(std::span<const std::int16_t> pcm) {
  if (!impl_->running || pcm.empty()) return;
  ps_process_raw(impl_->grammar.get(), pcm.data(), pcm.size(), FALSE, FALSE);
  if (impl_->gate_open) ps_process_raw(impl_->gate.get(), pcm.data(), pcm.size(), FALSE, FALSE);
}

std::string Decoder::partial() {
  if (!impl_->running) return {};
  int32 score = 0;
  return clean_text(ps_get_hyp(impl_->grammar.get(), &score));
}

Decoder::Final Decoder::finish(double clear_score) {
  Final out;
  if (!impl_->running) return out;
  int32 score = 0;
  ps_end_utt(impl_->grammar.get());
  impl_->running = false;
  out.text = clean_text(ps_get_hyp(impl_->grammar.get(), &score));
  out.frames = ps_get_n_frames(impl_->grammar.get());
  if (out.frames > 0) out.score = static_cast<double>(score) / out.frames;
  if (!out.text.empty()) out.words = words_of(impl_->grammar.get());
  cmn_live_get(ps_get_feat(impl_->grammar.get())->cmn_struct, out.mean.data());
  if (!impl_->gate_open) return out;

  const auto read_gate = [&] {
    const char* text = ps_get_hyp(impl_->gate.get(), &score);
    const int frames = ps_get_n_frames(impl_->gate.get());
    out.gate_text = clean_text(text);
    out.gate_score = text != nullptr && frames > 0 ? static_cast<double>(score) / frames : -1000.0;
  };
  read_gate();
  if (!out.text.empty() && out.gate_score > clear_score) {
    out.gate_skipped = true;
    return out;
  }
  impl_->gate_open = false;
  ps_end_utt(impl_->gate.get());
  read_gate();
  return out;
}

void Decoder::drop() {
  if (std::exchange(impl_->running, false)) ps_end_utt(impl_->grammar.get());
  if (std::exchange(impl_->gate_open, false)) ps_end_utt(impl_->gate.get());
}

const std::string& Decoder::error() const {
  return impl_->error;
}

}  // namespace voxgate::engines
