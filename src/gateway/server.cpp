#include "voxgate/gateway/server.hpp"

#include <sched.h>
#include <signal.h>

#include <cmath>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "gateway/admin_door.hpp"
#include "gateway/public_door.hpp"
#include "voxgate/base/log.hpp"
#include "voxgate/net/signals.hpp"
#include "voxgate/net/worker_pool.hpp"

namespace voxgate::gateway {
namespace {

constexpr std::chrono::seconds kLastCallsPatience{10};  // from the last close to the hard end
constexpr std::chrono::seconds kForcedPatience{1};      // the same after a second signal: time for the close frames
constexpr std::chrono::seconds kRecordsPatience{10};

std::size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return std::max(1u, std::thread::hardware_concurrency());
  const auto allowed = static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
  // A container's quota, where there is one: "max 100000" or "150000 100000".
  std::ifstream quota_file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (quota_file >> quota >> period && quota != "max" && period > 0) {
    const double cores = std::stod(quota) / period;
    return std::clamp<std::size_t>(static_cast<std::size_t>(std::lround(cores)), 1, allowed);
  }
  return allowed;
}

net::HttpServerOptions door_options(const char* name, const std::string& endpoint, const Config& config) {
  const auto parsed = parse_endpoint(endpoint);
  if (!parsed) throw std::runtime_error("listen." + std::string(name) + ": must be address:port");
  net::HttpServerOptions options;
  options.name = name;
  options.address = parsed->first;
  options.port = parsed->second;
  options.max_connections = static_cast<std::size_t>(config.limits.max_connections);
  return options;
}

}  // namespace

struct Server::Impl {
  explicit Impl(Config c);
  void add_gauges();
  void drain();
  void close_leftovers();
  void take_down();
  void write_port_file() const;
  std::size_t live_sessions() const;

  const Config config;
  const std::size_t loop_count;
  metrics::Registry registry;
  GatewayMetrics metrics;
  net::LoopGroup loops;
  Services services;
  Admission admission;
  SlotPool slots;
  CallDirectory directory;
  Transfers transfers;
  std::vector<std::unique_ptr<CallTable>> tables;
  std::unique_ptr<records::Store> store;
  std::unique_ptr<records::Recorder> recorder;
  net::WorkerPool readers;
  SessionDeps deps;
  Health health;
  PublicDoor public_door;
  AdminDoor admin_door;
  MetricsDoor metrics_door;
  std::unique_ptr<net::HttpServer> public_server, admin_server, metrics_server;

  std::mutex mutex;
  std::condition_variable changed;
  int stop_requests = 0;
  bool down = false;
};

Server::Impl::Impl(Config c)
    : config(std::move(c)),
      loop_count(config.loops > 0 ? static_cast<std::size_t>(config.loops) : usable_cores()),
      registry(loop_count),
      metrics(registry),
      loops(loop_count, registry),
      services(config, registry),
      admission(static_cast<std::size_t>(config.limits.max_calls)),
      slots(static_cast<std::size_t>(config.limits.max_calls)),
      store(config.records.path.empty()
                ? nullptr
                : std::make_unique<records::Store>(
                      records::StoreConfig{config.records.path, static_cast<std::size_t>(config.records.queue)},
                      registry)),
      recorder(
          config.records.recordings_dir.empty()
              ? nullptr
              : std::make_unique<records::Recorder>(records::RecorderConfig{config.records.recordings_dir}, registry)),
      readers("readers", 1, 100, registry),
      deps{config, services, metrics, directory, transfers, tables, store.get(), recorder.get()},
      health(admission, loops),
      public_door(deps, admission, slots, health, transfers),
      admin_door(deps, admission, health, readers,
                 [this] {
                   std::lock_guard lock(mutex);
                   if (stop_requests == 0) ++stop_requests;
                   changed.notify_all();
                 }),
      metrics_door(registry, health) {
  for (std::size_t i = 0; i < loop_count; ++i) {
    tables.push_back(std::make_unique<CallTable>(static_cast<std::size_t>(config.limits.max_calls)));
  }
  add_gauges();
  net::ignore_sigpipe();
  loops.start();
}

void Server::Impl::add_gauges() {
  add_process_metrics(registry);
  registry.gauge_fn("voxgate_build_info", "Always 1; the version is a label.", {{"version", VOXGATE_VERSION}},
                    [] { return 1.0; });
  registry.gauge_fn("voxgate_calls_active", "Calls that hold a ticket.", {},
                    [this] { return static_cast<double>(admission.active()); });
  registry.gauge_fn("voxgate_calls_capacity", "Tickets there are.", {},
                    [this] { return static_cast<double>(admission.max_calls()); });
  registry.gauge_fn("voxgate_draining", "1 while the server takes no new calls.", {},
                    [this] { return admission.draining() ? 1.0 : 0.0; });
  registry.gauge_fn("voxgate_listeners", "Registered listeners, by topic.", {{"topic", "calls"}},
                    [this] { return static_cast<double>(directory.size()); });
  registry.gauge_fn("voxgate_listeners", "Registered listeners, by topic.", {{"topic", "ticks"}}, [this] {
    double sum = 0;
    for (std::size_t i = 0; i < loops.size(); ++i) sum += static_cast<double>(loops.at(i).tickables());
    return sum;
  });
  const auto slot_gauge = [this](const char* state, std::size_t Pool<call::CallSlot>::Stats::*field) {
    registry.gauge_fn("voxgate_pool_slots", "Call slots, by state.", {{"state", state}},
                      [this, field] { return static_cast<double>(slots.stats().*field); });
  };
  slot_gauge("made", &SlotPool::Stats::made);
  slot_gauge("leased", &SlotPool::Stats::leased);
  slot_gauge("high_water", &SlotPool::Stats::high_water);
}

void Server::Impl::write_port_file() const {
  if (config.listen.port_file.empty()) return;
  const std::string temporary = config.listen.port_file + ".new";
  {
    std::ofstream file(temporary);
    file << "{\"public\":" << public_server->port() << ",\"admin\":" << admin_server->port()
         << ",\"metrics\":" << (metrics_server ? metrics_server->port() : 0) << "}\n";
    if (!file) throw std::runtime_error("listen.port_file: cannot write " + temporary);
  }
  if (std::rename(temporary.c_str(), config.listen.port_file.c_str()) != 0) {
    throw std::runtime_error("listen.port_file: cannot write " + config.listen.port_file);
  }
}

// New calls get 503 from now on; waits until the last one ended, the deadline passed, or somebody insists.
void Server::Impl::drain() {
  admission.drain();
  log::info("drain.started", {{"calls", admission.active()}, {"deadline_s", config.drain.deadline.count()}});
  const Instant deadline = Clock::now() + config.drain.deadline;
  std::unique_lock lock(mutex);
  while (admission.active() != 0 && Clock::now() < deadline && stop_requests < 2) {
    changed.wait_for(lock, Millis{50});
  }
}

// Says goodbye to the calls that are left, spread over a while, then cuts what did not go.
void Server::Impl::close_leftovers() {
  const auto left = directory.list();
  if (!left.empty()) {
    log::warn("drain.closing", {{"calls", left.size()}});
    const Duration gap = config.drain.spread / static_cast<long>(left.size());
    for (const CallAddress& address : left) {
      CallTable* table = tables[address.loop->index()].get();
      address.loop->post([table, handle = address.handle] {
        if (CallSession* session = table->find(handle))
          session->finish(call::EndReason::operator_ended, 1001, "going away");
      });
      std::unique_lock lock(mutex);
      changed.wait_for(lock, gap, [this] { return stop_requests > 1; });
    }
  }
  // Streams that have not said who they are yet stand in no directory.
  loops.post_all([this](net::Loop& loop) {
    tables[loop.index()]->for_each(
        [](Handle, CallSession& session) { session.finish(call::EndReason::operator_ended, 1001, "going away"); });
  });
  const Instant start = Clock::now();
  std::unique_lock lock(mutex);
  while (admission.active() != 0) {
    if (Clock::now() - start >= (stop_requests > 1 ? kForcedPatience : kLastCallsPatience)) break;
    changed.wait_for(lock, Millis{20});
  }
}

void Server::Impl::take_down() {
  if (down) return;
  down = true;
  admission.drain();
  for (auto* server : {&public_server, &admin_server, &metrics_server}) {
    if (*server) (*server)->stop_accepting();
  }
  for (auto* server : {&public_server, &admin_server, &metrics_server}) {
    if (!*server) continue;
    (*server)->close_all();
    (*server)->wait_closed(kLastCallsPatience);
    server->reset();
  }
  services.stop();
  readers.stop(net::WorkerPool::Pending::discard);
  loops.stop();
  loops.join();
  if (store) store->flush(kRecordsPatience);
}

Server::Server(Config config) : impl_(std::make_unique<Impl>(std::move(config))) {}

Server::~Server() {
  if (impl_) impl_->take_down();
}

void Server::open() {
  Impl& i = *impl_;
  const auto listen = [&i](std::unique_ptr<net::HttpServer>& server, const char* name, const std::string& endpoint,
                           net::HttpHandler& handler) {
    server = std::make_unique<net::HttpServer>(i.loops, handler, door_options(name, endpoint, i.config), i.registry);
    try {
      server->listen();
    } catch (const std::exception& error) {
      throw std::runtime_error("listen." + std::string(name) + ": cannot listen on " + endpoint + ": " + error.what());
    }
  };
  listen(i.admin_server, "admin", i.config.listen.admin, i.admin_door);
  if (!i.config.listen.metrics.empty()) listen(i.metrics_server, "metrics", i.config.listen.metrics, i.metrics_door);
  listen(i.public_server, "public", i.config.listen.public_door, i.public_door);
  i.write_port_file();
  log::info("server.ready", {{"public", i.public_server->port()},
                             {"admin", i.admin_server->port()},
                             {"loops", i.loop_count},
                             {"max_calls", i.admission.max_calls()},
                             {"version", VOXGATE_VERSION}});
  if (i.config.auth.mode == "none" && !i.config.listen.public_door.starts_with("127.")) {
    log::warn("auth.off", {{"door", i.config.listen.public_door}});
  }
}

Doors Server::doors() const {
  const Impl& i = *impl_;
  return {i.public_server->port(), i.admin_server->port(),
          i.metrics_server ? i.metrics_server->port() : std::uint16_t{0}};
}

void Server::request_stop() {
  std::lock_guard lock(impl_->mutex);
  ++impl_->stop_requests;
  impl_->changed.notify_all();
}

void Server::serve(bool handle_signals) {
  Impl& i = *impl_;
  std::unique_ptr<net::Signals> signals;
  if (handle_signals) {
    signals = std::make_unique<net::Signals>(i.loops.at(0), [this](int signal) {
      if (signal == SIGHUP) {
        log::warn("signal.ignored", {{"signal", "SIGHUP"}});
      } else {
        request_stop();
      }
    });
  }
  {
    std::unique_lock lock(i.mutex);
    i.changed.wait(lock, [&i] { return i.stop_requests > 0; });
  }
  i.drain();
  i.close_leftovers();
  signals.reset();
  i.take_down();
  log::info("server.ended", {});
}

std::size_t Server::active_calls() const {
  return impl_->admission.active();
}
std::string Server::scrape() const {
  return impl_->registry.render();
}

}  // namespace voxgate::gateway
