// voxctl listen: voice detector, endpointer, barge-in gate and key detector over a sound file, on media time only.

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <optional>

#include "apps/voxctl/commands.hpp"
#include "apps/voxctl/files.hpp"
#include "apps/voxctl/listen_asr.hpp"
#include "voxgate/audio/echo_gate.hpp"
#include "voxgate/audio/far_end.hpp"
#include "voxgate/audio/g711.hpp"
#include "voxgate/audio/vad.hpp"
#include "voxgate/dialog/barge_in.hpp"
#include "voxgate/dialog/endpointing.hpp"

namespace voxgate::voxctl {
namespace {

constexpr const char* kHelp =
    "usage: voxctl listen FILE.ulaw|FILE.wav [--agent NAME] [--asr] [--far FAR.ulaw --speaking FROM_MS-TO_MS]\n"
    "\n"
    "Prints 'file NAME', then one line per decision; T is milliseconds of media at the end of the frame it was made "
    "in:\n"
    "  vad T start|stop    the caller's voice\n"
    "  eot T               end of turn; without --asr by silence alone, 500 ms; with it the words count, too\n"
    "  hold T, barge T     first stage of a barge-in, and its confirmation (only while the agent is speaking)\n"
    "  dtmf T DIGIT\n"
    "--asr runs the embedded recogniser with the grammar of --agent: a file, or a name in config/agents (demo).\n"
    "--far gives the agent's own audio, aligned in time with FILE: the echo reference while it is speaking.\n";

struct Options {
  std::string file, far, agent = "demo";
  bool asr = false;
  std::optional<Millis> speaking_from, speaking_to;
};

bool parse_span(const std::string& text, Options& options) {
  const auto dash = text.find('-');
  if (dash == std::string::npos) return false;
  std::int64_t from = 0, to = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto a = std::from_chars(begin, begin + dash, from);
  const auto b = std::from_chars(begin + dash + 1, end, to);
  if (a.ec != std::errc() || a.ptr != begin + dash || b.ec != std::errc() || b.ptr != end || to < from) return false;
  options.speaking_from = Millis(from);
  options.speaking_to = Millis(to);
  return true;
}

std::optional<Options> parse(const Args& args) {
  Options options;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool more = i + 1 < args.size();
    if (args[i] == "--asr") {
      options.asr = true;
    } else if (args[i] == "--agent" && more) {
      options.agent = args[++i];
    } else if (args[i] == "--far" && more) {
      options.far = args[++i];
    } else if (args[i] == "--speaking" && more) {
      if (!parse_span(args[++i], options)) return std::nullopt;
    } else if (!args[i].starts_with("--") && options.file.empty()) {
      options.file = args[i];
    } else {
      return std::nullopt;
    }
  }
  if (options.file.empty() || (!options.far.empty() && !options.speaking_from)) return std::nullopt;
  return options;
}

/// The parts of a call that listen, in the order a call uses them.
class Ears {
 public:
  Ears(audio::AudioFormat format, const Options& options, const std::optional<Sound>& far)
      : vad_(audio::VadConfig{.format = format}),
        endpointer_(options.asr ? dialog::EndpointSettings{.max_eager = 0}
                                : dialog::EndpointSettings{.needs_text = false}),
        asr_(options.asr ? std::make_unique<AsrEar>(options.agent, format) : nullptr),
        far_tracker_(far ? far->format : audio::kMulaw8k),
        far_(far),
        from_(options.speaking_from),
        to_(options.speaking_to) {}

  void hear(std::span<const std::uint8_t> wire) {
    for (const std::size_t step = vad_.config().format.bytes_for(audio::Vad::kFrame); wire.size() >= step;
         wire = wire.subspan(step)) {
      now_wire_ = wire.first(step);
      vad_.push(now_wire_, [this](const audio::VadFrame& frame) { on_frame(frame); });
    }
  }

 private:
  static std::int64_t ms(Micros t) { return t.count() / 1000; }

  void on_frame(const audio::VadFrame& frame) {
    play_far(frame.end);
    if (frame.edge == audio::VadFrame::Edge::start) std::printf("vad %" PRId64 " start\n", ms(frame.end));
    if (frame.edge == audio::VadFrame::Edge::stop) std::printf("vad %" PRId64 " stop\n", ms(frame.end));
    if (frame.digit != 0) std::printf("dtmf %" PRId64 " %c\n", ms(frame.end), frame.digit);
    show(frame.end, gate_.on_frame(frame, echo_gate_.step(far_tracker_, frame.db, frame.floor_db)));
    carry_out(endpointer_.on_frame(frame));
    if (asr_) recognise(frame);
  }

  void recognise(const audio::VadFrame& frame) {
    asr_->hear(now_wire_, endpointer_.in_turn());
    for (const AsrEar::Partial& partial : asr_->take_partials()) {
      show(frame.end, gate_.on_text(frame.end, partial.text));
      carry_out(endpointer_.on_text(frame.end, partial.text, partial.complete));
      if (!endpointer_.in_turn()) return;
    }
  }

  static void show(Micros at, dialog::BargeInAction action) {
    if (action == dialog::BargeInAction::hold) std::printf("hold %" PRId64 "\n", ms(at));
    if (action == dialog::BargeInAction::confirm) std::printf("barge %" PRId64 "\n", ms(at));
  }

  void carry_out(const dialog::EndpointActions& actions) {
    for (const auto& action : actions) {
      if (action.kind == dialog::EndpointAction::Kind::eot) {
        std::printf("eot %" PRId64 "\n", ms(action.at));
        if (asr_) asr_->end_turn();
      } else if (action.kind == dialog::EndpointAction::Kind::discard && asr_) {
        asr_->discard_turn();
      }
    }
  }

  /// What the agent played during the frame that ends at `end`.
  void play_far(Micros end) {
    const Micros start = end - audio::Vad::kFrame;
    const bool speaking = from_ && start >= *from_ && start < *to_;
    if (speaking && !gate_.agent_speaking()) gate_.agent_started({});
    if (!speaking && gate_.agent_speaking()) gate_.agent_stopped();
    const audio::AudioFormat format = far_ ? far_->format : audio::kMulaw8k;
    if (!speaking || !far_) return far_tracker_.skip(format.samples_for(audio::Vad::kFrame));
    const std::size_t at = std::min(format.bytes_for(start), far_->wire.size());
    const std::size_t n = std::min(format.bytes_for(audio::Vad::kFrame), far_->wire.size() - at);
    far_tracker_.push(std::span(far_->wire).subspan(at, n));
    far_tracker_.skip(format.samples_for(audio::Vad::kFrame) - format.samples_in(n));
  }

  audio::Vad vad_;
  dialog::Endpointer endpointer_;
  std::unique_ptr<AsrEar> asr_;  // empty without --asr
  dialog::BargeInGate gate_;
  audio::FarEndTracker far_tracker_;
  audio::EchoGate echo_gate_;
  const std::optional<Sound>& far_;
  std::span<const std::uint8_t> now_wire_;
  std::optional<Millis> from_, to_;
};

std::optional<Sound> load(const std::string& path) {
  auto sound = load_sound(path);
  if (sound) return std::move(*sound);
  std::fprintf(stderr, "voxctl listen: %s: %s\n", path.c_str(), sound.error().message().c_str());
  return std::nullopt;
}

int listen(const Options& options) {
  const auto sound = load(options.file);
  if (!sound) return 2;
  std::optional<Sound> far;
  if (!options.far.empty() && !(far = load(options.far))) return 2;
  std::printf("file %s\n", options.file.c_str());
  Ears ears(sound->format, options, far);
  ears.hear(sound->wire);
  return 0;
}

}  // namespace

int run_listen(const Args& args) {
  if (!args.empty() && (args[0] == "--help" || args[0] == "-h")) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  const auto options = parse(args);
  if (!options) {
    std::fputs(kHelp, stderr);
    return 2;
  }
  return listen(*options);
}

}  // namespace voxgate::voxctl
