#include "engines/flite_voice.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <utility>

// flite's header is not written for C++: its callbacks have no prototypes.
extern "C" {
#include <flite/flite.h>

cst_voice* register_cmu_us_slt(const char* directory);
cst_voice* register_cmu_us_rms(const char* directory);
cst_voice* register_cmu_us_awb(const char* directory);
}

namespace voxgate::engines {

namespace {

constexpr int kPieceSamples = 800;                // 50 ms
constexpr std::int64_t kKeepBeforeSpeechMs = 30;  // the phone set's times are not exact
constexpr std::int64_t kMaxCutMs = 400;

struct Entry {
  const char* name;
  cst_voice* (*make)(const char*);
  double natural_dbfs;  // RMS of a calibration sentence as the voice speaks it
};
constexpr std::array<Entry, 3> kVoices = {Entry{"slt", register_cmu_us_slt, -15.6},
                                          Entry{"rms", register_cmu_us_rms, -21.4},
                                          Entry{"awb", register_cmu_us_awb, -21.5}};

float end_of(const cst_item* segment) {
  return segment == nullptr ? 0.0f : item_feat_float(segment, "end");
}

const cst_item* edge_segment(const cst_item* word, bool last) {
  const cst_item* structure = item_as(word, "SylStructure");
  if (structure == nullptr) return nullptr;
  const cst_item* syllable = last ? item_last_daughter(structure) : item_daughter(structure);
  if (syllable == nullptr) return nullptr;
  const cst_item* segment = last ? item_last_daughter(syllable) : item_daughter(syllable);
  return segment == nullptr ? nullptr : item_as(segment, "Segment");
}

/// Words as they were written, with their place in the audio. A token that is spoken as several words is one entry.
std::vector<vendors::TtsWord> words_of(const cst_utterance* utterance) {
  std::vector<vendors::TtsWord> out;
  if (utterance == nullptr || utt_relation_present(const_cast<cst_utterance*>(utterance), "Token") == 0) return out;
  for (const cst_item* token = relation_head(utt_relation(const_cast<cst_utterance*>(utterance), "Token"));
       token != nullptr; token = item_next(token)) {
    const cst_item* first_word = item_daughter(token);
    const cst_item* last_word = item_last_daughter(token);
    if (first_word == nullptr || last_word == nullptr) continue;
    const cst_item* first = edge_segment(first_word, false);
    const cst_item* last = edge_segment(last_word, true);
    if (first == nullptr || last == nullptr) continue;
    vendors::TtsWord word;
    word.text = item_name(token);
    word.start_ms = static_cast<std::int64_t>(std::lround(end_of(item_prev(first)) * 1000.0f));
    word.end_ms = static_cast<std::int64_t>(std::lround(end_of(last) * 1000.0f));
    out.push_back(std::move(word));
  }
  return out;
}

/// What a synthesis in progress needs in the library's callback.
struct Flow {
  const FliteVoice::Piece& piece;
  float gain;
  bool begun = false;
  bool stopped = false;
  int to_cut = 0;  // samples of leading silence still to be left out
  std::vector<vendors::TtsWord> words{};
  bool words_told = false;
  std::vector<std::int16_t> buffer{};

  void begin(const cst_utterance* utterance) {
    begun = true;
    words = words_of(utterance);
    if (words.empty()) return;
    const std::int64_t cut_ms = std::clamp<std::int64_t>(words.front().start_ms - kKeepBeforeSpeechMs, 0, kMaxCutMs);
    to_cut = static_cast<int>(cut_ms * kVoiceRate / 1000);
    for (vendors::TtsWord& word : words) {
      word.start_ms = std::max<std::int64_t>(0, word.start_ms - cut_ms);
      word.end_ms = std::max(word.start_ms, word.end_ms - cut_ms);
    }
  }

  bool take(std::span<const short> samples, const cst_utterance* utterance) {
    if (!begun) begin(utterance);
    const auto skipped = std::min(static_cast<std::size_t>(to_cut), samples.size());
    to_cut -= static_cast<int>(skipped);
    samples = samples.subspan(skipped);
    if (samples.empty()) return true;
    buffer.resize(samples.size());
    std::transform(samples.begin(), samples.end(), buffer.begin(), [this](short s) {
      return static_cast<std::int16_t>(std::lrintf(std::clamp(static_cast<float>(s) * gain, -32768.0f, 32767.0f)));
    });
    return piece(buffer, std::exchange(words_told, true) ? nullptr : &words);
  }
};

int on_audio(const cst_wave* wave, int start, int size, int /*last*/, cst_audio_streaming_info* info) {
  auto* flow = static_cast<Flow*>(info->userdata);
  const std::span<const short> samples(wave->samples + start, static_cast<std::size_t>(std::max(0, size)));
  if (!samples.empty() && !flow->take(samples, info->utt)) {
    flow->stopped = true;
    return CST_AUDIO_STREAM_STOP;
  }
  return CST_AUDIO_STREAM_CONT;
}

}  // namespace

struct FliteVoice::Raw {
  std::mutex mutex;
  cst_voice* voice = nullptr;  // static data of the library
  double natural_dbfs = -20;
};

FliteVoice::FliteVoice(std::unique_ptr<Raw> raw) : raw_(std::move(raw)) {}
FliteVoice::~FliteVoice() = default;

FliteVoice* FliteVoice::find(std::string_view name) {
  static std::mutex mutex;
  static std::array<std::unique_ptr<FliteVoice>, kVoices.size()> made;
  static bool ready = false;
  for (std::size_t i = 0; i < kVoices.size(); ++i) {
    if (name != kVoices[i].name) continue;
    std::lock_guard lock(mutex);
    if (!std::exchange(ready, true)) flite_init();
    if (made[i] == nullptr) {
      auto raw = std::make_unique<Raw>();
      raw->voice = kVoices[i].make(nullptr);
      raw->natural_dbfs = kVoices[i].natural_dbfs;
      made[i] = std::make_unique<FliteVoice>(std::move(raw));
    }
    return made[i].get();
  }
  return nullptr;
}

bool FliteVoice::say(const std::string& text, double duration_stretch, double level_dbfs, const Piece& piece) {
  const double gain_db = std::clamp(level_dbfs - raw_->natural_dbfs, -12.0, 12.0);
  Flow flow{piece, static_cast<float>(std::pow(10.0, gain_db / 20.0))};
  std::lock_guard lock(raw_->mutex);
  cst_audio_streaming_info* info = new_audio_streaming_info();
  info->min_buffsize = kPieceSamples;
  info->asc = on_audio;
  info->userdata = &flow;
  feat_set_float(raw_->voice->features, "duration_stretch", static_cast<float>(duration_stretch));
  feat_set(raw_->voice->features, "streaming_info", audio_streaming_info_val(info));  // owns it from here
  cst_utterance* utterance = flite_synth_text(text.c_str(), raw_->voice);
  if (utterance != nullptr) delete_utterance(utterance);
  feat_remove(raw_->voice->features, "streaming_info");
  return !flow.stopped;
}

}  // namespace voxgate::engines
