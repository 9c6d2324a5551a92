// voxgate: the server.

#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "voxgate/base/log.hpp"
#include "voxgate/gateway/config.hpp"
#include "voxgate/gateway/server.hpp"

namespace {

using namespace voxgate;

constexpr int kUsage = 2;

void print_usage(std::ostream& out) {
  out << "Usage: voxgate COMMAND [OPTIONS]\n"
         "\n"
         "  serve --config FILE [--set path=value ...]   run the gateway until SIGTERM\n"
         "  check --config FILE [--set path=value ...]   check a configuration and print it, secrets hidden\n"
         "  check --reference                            print every setting with its default\n"
         "  version                                      print the version\n"
         "\n"
         "SIGTERM drains: no new calls, live ones finish, then exit 0. A second SIGTERM ends them.\n";
}

struct Options {
  std::string config_file;
  std::vector<std::string> sets;
  bool reference = false;
};

bool parse_options(const std::vector<std::string>& args, Options& out) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool has_value = i + 1 < args.size();
    if (args[i] == "--config" && has_value) {
      out.config_file = args[++i];
    } else if (args[i] == "--set" && has_value) {
      out.sets.push_back(args[++i]);
    } else if (args[i] == "--reference") {
      out.reference = true;
    } else {
      std::cerr << "voxgate: unknown or incomplete option '" << args[i] << "'; see voxgate --help\n";
      return false;
    }
  }
  return true;
}

bool load(const Options& options, gateway::Config& config) {
  if (options.config_file.empty()) {
    std::cerr << "voxgate: --config FILE is needed (try config/demo.json)\n";
    return false;
  }
  auto loaded = gateway::load_config_file(options.config_file, options.sets);
  for (const auto& p : loaded.problems) {
    std::cerr << options.config_file << (p.line != 0 ? ":" + std::to_string(p.line) : "") << ": "
              << (p.path.empty() ? "" : p.path + ": ") << p.message << '\n';
  }
  if (!loaded.problems.empty()) return false;
  config = std::move(loaded.config);
  return true;
}

int serve(const Options& options) {
  gateway::Config config;
  if (!load(options, config)) return kUsage;
  log::Config log_config;
  log::parse_level(config.log.level, log_config.level);
  log_config.json = config.log.format == "json";
  log::init(log_config);
  int status = 0;
  try {
    gateway::Server server(std::move(config));
    server.open();
    server.serve(true);
  } catch (const std::exception& error) {
    std::cerr << "voxgate: " << error.what() << '\n';
    status = kUsage;
  }
  log::flush();
  return status;
}

int check(const Options& options) {
  if (options.reference) {
    std::cout << gateway::reference_config();
    return 0;
  }
  gateway::Config config;
  if (!load(options, config)) return kUsage;
  std::cout << gateway::print_config(config);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.empty()) {
    print_usage(std::cerr);
    return kUsage;
  }
  const std::string command = args.front();
  args.erase(args.begin());
  if (command == "--help" || command == "-h" || command == "help") {
    print_usage(std::cout);
    return 0;
  }
  if (command == "version" || command == "--version") {
    std::cout << "voxgate " << VOXGATE_VERSION << '\n';
    return 0;
  }
  Options options;
  if (!parse_options(args, options)) return kUsage;
  if (command == "serve") return serve(options);
  if (command == "check") return check(options);
  std::cerr << "voxgate: unknown command '" << command << "'; see voxgate --help\n";
  return kUsage;
}
