// voxctl call: a simulated telephone call with real speech over the Twilio protocol.

#include <boost/asio/co_spawn.hpp>
#include <charconv>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>

#include "apps/voxctl/call_printer.hpp"
#include "apps/voxctl/commands.hpp"
#include "apps/voxctl/files.hpp"
#include "voxgate/audio/g711.hpp"
#include "voxgate/audio/wav.hpp"
#include "voxgate/base/log.hpp"
#include "voxgate/base/text.hpp"
#include "voxgate/sim/call_report.hpp"

namespace voxgate::voxctl {
namespace {

constexpr const char* kHelp =
    "usage: voxctl call [OPTIONS] TURNS\n"
    "\n"
    "Calls a gateway as Twilio would, speaks the turns in order, and prints the conversation as it happens.\n"
    "\n"
    "turns, in order:\n"
    "  --say TEXT           says the text with a synthetic voice\n"
    "  --wav FILE           plays a recording (.wav; anything else is headerless 8 kHz mu-law)\n"
    "  --dtmf DIGITS        presses keys\n"
    "  --wait               only listens\n"
    "each may be followed by\n"
    "  --barge-at SECONDS   begins so long after the agent's reply to the previous turn began to sound,\n"
    "                       instead of waiting for its end\n"
    "  --expect REGEX       what the agent says in reply must match (without case); before any turn: the greeting\n"
    "\n"
    "options:\n"
    "  --url URL            the gateway (ws://127.0.0.1:8080), or a whole media URL\n"
    "  --admin URL          its admin door (http://127.0.0.1:8081), which tells what was understood and said; 'none'\n"
    "  --admin-token TOKEN  for an admin door that asks for one\n"
    "  --agent NAME         the agent to talk to\n"
    "  --call-id ID         default: a random one\n"
    "  --param K=V          a custom parameter of the stream; may be repeated\n"
    "  --auth-token TOKEN   signs the upgrade (X-Twilio-Signature)\n"
    "  --voice rms|awb      the caller's voice (rms)\n"
    "  --turn-timeout S     for the agent's reply to begin (15)\n"
    "  --min-recognised PCT fails when fewer of the spoken turns are understood word by word (0)\n"
    "  --jitter MS          frames leave up to so much late\n"
    "  --seed N             of the jitter (1)\n"
    "  --hangup stop|abrupt how the caller ends the call (stop)\n"
    "  --out FILE.wav       saves both sides: caller left, agent right, as heard\n"
    "  --json               a report on standard output; the conversation goes to standard error\n"
    "\n"
    "exit status: 0 all as expected, 1 an expectation failed, 2 wrong usage or a file that cannot be used,\n"
    "             3 no gateway there, 4 the call was refused, 5 the call was cut off before the script ended\n";

enum Status { ok = 0, not_expected = 1, usage = 2, no_gateway = 3, refused = 4, cut_off = 5 };

struct Options {
  sim::CallPlan plan;
  sim::CallScript script;
  std::string voice = "rms";
  std::string out;
  double min_recognised_pct = 0;
  bool json = false, help = false;
};

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

double number(const std::string& option, const std::string& value, double max) {
  double out = -1;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (error != std::errc() || end != value.data() + value.size() || out < 0 || out > max) {
    throw UsageError(option + " takes a number up to " + std::to_string(static_cast<long>(max)) + ", not '" + value +
                     "'");
  }
  return out;
}

Duration seconds(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

void set_option(Options& out, const std::string& option, const std::string& value) {
  sim::CallPlan& plan = out.plan;
  if (option == "--url") {
    plan.url = value;
  } else if (option == "--admin") {
    plan.admin = value == "none" ? "" : value;
  } else if (option == "--admin-token") {
    plan.admin_token = value;
  } else if (option == "--agent") {
    plan.agent = value;
  } else if (option == "--call-id") {
    plan.call_id = value;
  } else if (option == "--auth-token") {
    plan.auth_token = value;
  } else if (option == "--voice") {
    out.voice = value;
  } else if (option == "--out") {
    out.out = value;
  } else if (option == "--turn-timeout") {
    plan.turn_timeout = seconds(number(option, value, 600));
  } else if (option == "--min-recognised") {
    out.min_recognised_pct = number(option, value, 100);
  } else if (option == "--jitter") {
    plan.jitter = seconds(number(option, value, 5000) / 1000);
  } else if (option == "--seed") {
    plan.seed = static_cast<std::uint32_t>(number(option, value, 4e9));
  } else if (option == "--hangup" && (value == "stop" || value == "abrupt")) {
    plan.hang_up_abruptly = value == "abrupt";
  } else if (option == "--param") {
    const std::size_t equals = value.find('=');
    if (equals == std::string::npos || equals == 0) throw UsageError("--param takes K=V, not '" + value + "'");
    plan.params.emplace_back(value.substr(0, equals), value.substr(equals + 1));
  } else {
    throw UsageError("what is '" + option + ' ' + value + "'? See voxctl call --help");
  }
}

Options parse(const Args& args) {
  Options out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--help" || args[i] == "-h") {
      out.help = true;
    } else if (args[i] == "--json") {
      out.json = true;
    } else if (!out.script.take(args, i)) {
      if (!out.script.error().empty()) throw UsageError(out.script.error());
      if (i + 1 >= args.size()) throw UsageError("what is '" + args[i] + "'? See voxctl call --help");
      set_option(out, args[i], args[i + 1]);
      ++i;
    }
  }
  return out;
}

sim::Clip clip_of_file(const std::string& path) {
  const auto sound = load_sound(path);
  if (!sound) throw UsageError(path + ": " + sound.error().message());
  if (sound->format == audio::kMulaw8k) return sim::clip_of_ulaw(sound->wire);
  std::vector<std::int16_t> pcm(sound->format.samples_in(sound->wire.size()));
  audio::decode(sound->format.encoding, sound->wire, pcm);
  return sim::clip_of_pcm(pcm, sound->format.rate_hz);
}

void make_clips(Options& options) {
  std::unique_ptr<sim::CallerVoice> voice;
  try {
    voice = std::make_unique<sim::CallerVoice>(options.voice);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  for (const sim::ScriptTurn& turn : options.script.turns()) {
    sim::PlannedTurn planned;
    planned.script = turn;
    if (turn.kind == sim::TurnKind::say) planned.clip = std::make_shared<sim::Clip>(voice->say(turn.text));
    if (turn.kind == sim::TurnKind::wav) planned.clip = std::make_shared<sim::Clip>(clip_of_file(turn.text));
    if (planned.clip && planned.clip->ulaw.empty()) throw UsageError("nothing to hear in '" + turn.text + "'");
    options.plan.turns.push_back(std::move(planned));
  }
  options.plan.expect_greeting = !options.script.expect_greeting().empty();
}

net::Awaitable<void> run_and_stop(net::Loop& loop, sim::CallPlan plan, sim::CallObserver* observer,
                                  std::optional<sim::CallResult>& out) {
  out.emplace(co_await sim::place_call(loop, std::move(plan), observer));
  loop.stop();
}

sim::CallResult call(const sim::CallPlan& plan, CallPrinter& printer) {
  metrics::Registry registry{2};
  net::Loop loop(0, registry);
  std::optional<sim::CallResult> result;
  std::exception_ptr failure;
  auto task = run_and_stop(loop, plan, &printer, result);
  auto done = [&](std::exception_ptr error) {
    failure = error;
    loop.stop();
  };
  net::asio::co_spawn(loop.executor(), std::move(task), std::move(done));
  loop.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(*result);
}

void save_wav(const std::string& path, const sim::CallResult& result) {
  const std::size_t frames = std::max(result.caller_track.size(), result.agent_track.size());
  const auto sample = [](const std::vector<std::uint8_t>& track, std::size_t i) {
    return i < track.size() ? audio::g711::ulaw_to_linear(track[i]) : std::int16_t{0};
  };
  std::vector<std::int16_t> both;
  both.reserve(frames * 2);
  for (std::size_t i = 0; i < frames; ++i) {
    both.push_back(sample(result.caller_track, i));
    both.push_back(sample(result.agent_track, i));
  }
  std::vector<std::uint8_t> data(both.size() * 2);
  audio::encode(audio::Encoding::s16le, both, data);
  const auto bytes = audio::encode_wav({audio::kLinear8k, 2}, data);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  const bool written = file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed) throw UsageError(path + ": cannot be written");
}

// Why no conversation took place, in one line.
int explain(const sim::CallResult& result) {
  const char* url = result.url.c_str();
  switch (result.outcome) {
    case sim::CallOutcome::no_gateway:
      std::fprintf(stderr, "voxctl call: no gateway at %s: %s\n", url, result.error.message().c_str());
      return no_gateway;
    case sim::CallOutcome::refused:
      std::fprintf(stderr, "voxctl call: refused by %s: %d %s\n", url, result.http_status,
                   std::string(text::trim(result.http_body)).c_str());
      return refused;
    case sim::CallOutcome::bad_url:
      std::fprintf(stderr, "voxctl call: '%s' cannot be called (ws://HOST:PORT is needed) or is no WebSocket server\n",
                   url);
      return usage;
    case sim::CallOutcome::cut:
      std::fprintf(stderr, "voxctl call: cut off after %.1f s: close code %u%s%s\n", to_seconds(result.length),
                   unsigned{result.close_code}, result.close_reason.empty() ? "" : " ", result.close_reason.c_str());
      return cut_off;
    case sim::CallOutcome::completed:
      break;
  }
  return ok;
}

int verdict(const sim::CallReport& report, const sim::CallResult& result, const Options& options) {
  const sim::CallPlan& plan = options.plan;
  const int status = explain(result);
  if (status != ok) return status;
  if (!plan.admin.empty() && !result.gateway.found) {
    std::fprintf(stderr, "voxctl call: the admin door at %s %s: no texts%s\n", plan.admin.c_str(),
                 result.gateway.reachable ? "does not know this call" : "does not answer",
                 report.summary.expects > 0 ? ", so nothing that was expected can be confirmed" : "");
  }
  if (report.summary.recognised_pct < options.min_recognised_pct) {
    std::fprintf(stderr, "voxctl call: %.0f %% of the turns were recognised, less than %.0f %%\n",
                 report.summary.recognised_pct, options.min_recognised_pct);
    return not_expected;
  }
  return report.summary.passed ? ok : not_expected;
}

}  // namespace

int run_call(const Args& args) {
  Options options;
  try {
    options = parse(args);
    if (options.help) {
      std::fputs(kHelp, stdout);
      return ok;
    }
    make_clips(options);
    log::Config quiet;
    log::parse_level("error", quiet.level);
    quiet.json = false;
    log::init(quiet);
    const std::string& greeting = options.script.expect_greeting();
    CallPrinter printer(options.plan, greeting, options.json ? stderr : stdout);
    const sim::CallResult result = call(options.plan, printer);
    const bool talked = result.outcome == sim::CallOutcome::completed || result.outcome == sim::CallOutcome::cut;
    if (talked && !options.out.empty()) save_wav(options.out, result);
    const sim::CallReport report = make_report(options.plan, greeting, result);
    const std::string wav = talked ? options.out : "";
    if (talked) printer.finish(report, result, wav);
    if (options.json) std::printf("%s\n", to_json(report, result, wav).c_str());
    return verdict(report, result, options);
  } catch (const UsageError& error) {
    std::fprintf(stderr, "voxctl call: %s\n", error.what());
    return usage;
  }
}

}  // namespace voxgate::voxctl
