// voxctl: the tool for people. This file only finds the command.

#include <array>
#include <cstdio>
#include <exception>
#include <string_view>

#include "apps/voxctl/commands.hpp"

namespace {

using voxgate::voxctl::Args;

struct Command {
  std::string_view name;
  int (*run)(const Args&);
  std::string_view summary;
};

constexpr std::array kCommands = std::to_array<Command>({
    {"call", voxgate::voxctl::run_call, "a simulated telephone call with real speech over the Twilio protocol"},
    {"listen", voxgate::voxctl::run_listen,
     "what the ears decide over a sound file: voice, end of turn, barge-in, keys"},
    {"jitter", voxgate::voxctl::run_jitter, "what the jitter buffer makes of a trace of arrivals"},
    {"g711", voxgate::voxctl::run_g711, "the G.711 tables, as bytes"},
});

void print_help(std::FILE* to) {
  std::fputs("usage: voxctl COMMAND [ARGUMENTS]\n       voxctl COMMAND --help\n\n", to);
  for (const Command& command : kCommands) {
    std::fprintf(to, "  %-10.*s %.*s\n", static_cast<int>(command.name.size()), command.name.data(),
                 static_cast<int>(command.summary.size()), command.summary.data());
  }
}

int dispatch(const Args& args) {
  if (args.empty()) {
    print_help(stderr);
    return 2;
  }
  if (args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    print_help(stdout);
    return 0;
  }
  if (args[0] == "--version") {
    std::puts("voxctl " VOXGATE_VERSION);
    return 0;
  }
  for (const Command& command : kCommands) {
    if (command.name == args[0]) return command.run(Args(args.begin() + 1, args.end()));
  }
  std::fprintf(stderr, "voxctl: no command '%s'; see voxctl --help\n", args[0].c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return dispatch(Args(argv + 1, argv + argc));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "voxctl: %s\n", e.what());
    return 2;
  }
}
