#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <functional>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "records/tape.hpp"
#include "voxgate/base/log.hpp"
#include "voxgate/records/recording.hpp"

namespace voxgate::records {
namespace {

constexpr Duration kSweepEvery = 250ms;    // how often the writer collects
constexpr std::size_t kMaxNameChars = 64;  // of the call id in a file name
constexpr std::size_t kHeaderBytes = 13;   // of an entry: kind, length, stamp
constexpr std::size_t kMaxEntryBytes = 1 << 20;

enum class Kind : std::uint8_t { caller, agent, cut };

std::string clean_name(const std::string& call_id) {
  std::string out;
  for (const char c : call_id) {
    if (out.size() == kMaxNameChars) break;
    const bool fine =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (fine) out += c;
  }
  return out.empty() ? "call" : out;
}

std::string file_name(const std::string& call_id, WallTime now) {
  thread_local std::mt19937_64 random{std::random_device{}()};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char time[32], suffix[24];
  std::strftime(time, sizeof time, "%Y%m%dT%H%M%SZ", &utc);
  std::snprintf(suffix, sizeof suffix, "%016llx", static_cast<unsigned long long>(random()));
  return std::string(time) + '_' + clean_name(call_id) + '_' + suffix + ".wav";
}

/// Bytes that wait, over all calls, and what is counted about them. Outlives the recorder in the hands of a Recording.
struct Budget {
  Budget(std::size_t max, metrics::Counter& counter) : max_bytes(max), lost(&counter) {}
  bool take(std::size_t bytes) {
    if (queued.fetch_add(bytes, std::memory_order_relaxed) + bytes <= max_bytes) return true;
    queued.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  const std::size_t max_bytes;
  metrics::Counter* const lost;
  std::atomic<std::size_t> queued{0};
};

/// Between a call's loop and the writer: entries of `kind, length, at_ms, bytes` one after the other.
struct Inbox {
  Inbox(std::string id, std::string file, std::shared_ptr<Budget> b)
      : call_id(std::move(id)), path(std::move(file)), budget(std::move(b)) {}

  void put(Kind kind, std::int64_t at_ms, std::span<const std::uint8_t> audio) {
    std::lock_guard lock(mutex);
    if (closed) return;
    if (audio.size() > kMaxEntryBytes || !budget->take(kHeaderBytes + audio.size())) {
      budget->lost->add(audio.size());
      lost = true;
      return;
    }
    const auto length = static_cast<std::uint32_t>(audio.size());
    std::uint8_t header[kHeaderBytes];
    header[0] = static_cast<std::uint8_t>(kind);
    std::memcpy(header + 1, &length, sizeof length);
    std::memcpy(header + 5, &at_ms, sizeof at_ms);
    bytes.insert(bytes.end(), header, header + kHeaderBytes);
    bytes.insert(bytes.end(), audio.begin(), audio.end());
  }

  const std::string call_id, path;
  const std::shared_ptr<Budget> budget;
  std::mutex mutex;  // held for a copy or a swap, never across I/O
  std::vector<std::uint8_t> bytes;
  bool finished = false;  // the Recording is gone
  bool closed = false;    // the recorder is gone
  bool lost = false;      // something did not fit
};

/// The writer's side of a call.
struct Reel {
  Reel(std::shared_ptr<Inbox> in, audio::AudioFormat caller, audio::AudioFormat agent)
      : inbox(std::move(in)), tape(inbox->path, caller, agent) {}
  std::shared_ptr<Inbox> inbox;
  Tape tape;
  std::vector<std::uint8_t> taken;
  bool complained = false;
};

void play_onto(Tape& tape, std::span<const std::uint8_t> entries) {
  while (entries.size() >= kHeaderBytes) {
    std::uint32_t length = 0;
    std::int64_t at_ms = 0;
    std::memcpy(&length, entries.data() + 1, sizeof length);
    std::memcpy(&at_ms, entries.data() + 5, sizeof at_ms);
    const auto audio = entries.subspan(kHeaderBytes, length);
    switch (static_cast<Kind>(entries[0])) {
      case Kind::caller:
        tape.caller(at_ms, audio);
        break;
      case Kind::agent:
        tape.agent(at_ms, audio);
        break;
      case Kind::cut:
        tape.agent_cut(at_ms);
        break;
    }
    entries = entries.subspan(kHeaderBytes + length);
  }
}

void check_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw std::runtime_error("cannot create the recordings directory " + directory + ": " + error.message());
  const std::string probe = directory + "/." + file_name("probe", std::chrono::system_clock::now());
  const int fd = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0) {
    throw std::runtime_error("cannot write to the recordings directory " + directory + ": " + std::strerror(errno));
  }
  ::close(fd);
  ::unlink(probe.c_str());
}

}  // namespace

// Threads: `arrived`, `stopping` and `wake` under the mutex; `reels` belongs to the writer.
struct Recorder::Impl {
  Impl(RecorderConfig c, metrics::Registry& registry)
      : config(std::move(c)),
        lost(registry.counter("voxgate_recordings_lost_bytes_total", "Audio bytes that did not reach a recording.")),
        active(registry.gauge("voxgate_recordings_active", "Recordings that are being written.")),
        budget(std::make_shared<Budget>(config.max_queued_bytes, lost)) {
    check_directory(config.directory);
    writer = std::thread([this] { write_loop(); });
  }

  void add(std::unique_ptr<Reel> reel) {
    std::lock_guard lock(mutex);
    arrived.push_back(std::move(reel));
    active.add(1);
  }

  void finished() {
    std::lock_guard lock(mutex);
    wanted = true;
    wake.notify_one();
  }

  void write_loop() {
    for (bool last = false; !last;) {
      {
        std::unique_lock lock(mutex);
        wake.wait_for(lock, kSweepEvery, [this] { return stopping || wanted; });
        last = stopping;
        wanted = false;
        for (auto& reel : arrived) reels.push_back(std::move(reel));
        arrived.clear();
      }
      std::erase_if(reels, [&](auto& reel) { return sweep(*reel, last); });
    }
  }

  /// Takes what came in and writes what is settled; true when the recording is complete.
  bool sweep(Reel& reel, bool last) {
    Inbox& inbox = *reel.inbox;
    reel.taken.clear();
    bool over, overflowed;
    {
      std::lock_guard lock(inbox.mutex);
      reel.taken.swap(inbox.bytes);
      inbox.closed = inbox.closed || last;
      over = inbox.finished || last;
      overflowed = std::exchange(inbox.lost, false);
    }
    play_onto(reel.tape, reel.taken);
    budget->queued.fetch_sub(reel.taken.size(), std::memory_order_relaxed);
    over ? reel.tape.finish() : reel.tape.write_settled();
    const std::uint64_t bytes = reel.tape.take_lost();
    lost.add(bytes);
    if ((bytes > 0 || overflowed || !reel.tape.error().empty()) && !std::exchange(reel.complained, true)) {
      const std::string reason = overflowed                  ? "the writer is too slow"
                                 : reel.tape.error().empty() ? "audio out of its time"
                                                             : reel.tape.error();
      log::warn("recording.lossy", {{"call", inbox.call_id}, {"file", inbox.path}, {"reason", reason}});
    }
    if (over) active.add(-1);
    return over;
  }

  const RecorderConfig config;
  metrics::Counter& lost;
  metrics::Gauge& active;
  const std::shared_ptr<Budget> budget;
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::unique_ptr<Reel>> arrived;
  bool stopping = false, wanted = false;
  std::vector<std::unique_ptr<Reel>> reels;
  std::thread writer;
};

namespace {

class LiveRecording final : public Recording {
 public:
  LiveRecording(std::shared_ptr<Inbox> inbox, std::function<void()> finished)
      : inbox_(std::move(inbox)), finished_(std::move(finished)) {}
  ~LiveRecording() override {
    std::lock_guard lock(inbox_->mutex);
    inbox_->finished = true;
    if (!inbox_->closed) finished_();
  }
  void caller(std::int64_t at_ms, std::span<const std::uint8_t> wire) override {
    inbox_->put(Kind::caller, at_ms, wire);
  }
  void agent(std::int64_t at_ms, std::span<const std::uint8_t> wire) override { inbox_->put(Kind::agent, at_ms, wire); }
  void agent_cut(std::int64_t at_ms) override { inbox_->put(Kind::cut, at_ms, {}); }
  const std::string& path() const override { return inbox_->path; }

 private:
  std::shared_ptr<Inbox> inbox_;
  std::function<void()> finished_;
};

}  // namespace

Recorder::Recorder(RecorderConfig config, metrics::Registry& registry)
    : impl_(std::make_unique<Impl>(std::move(config), registry)) {}

Recorder::~Recorder() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    impl_->wake.notify_one();
  }
  impl_->writer.join();
}

std::unique_ptr<Recording> Recorder::start(const std::string& call_id, audio::AudioFormat caller,
                                           audio::AudioFormat agent) {
  const std::string path = impl_->config.directory + '/' + file_name(call_id, std::chrono::system_clock::now());
  auto inbox = std::make_shared<Inbox>(call_id, path, impl_->budget);
  impl_->add(std::make_unique<Reel>(inbox, caller, agent));
  return std::make_unique<LiveRecording>(std::move(inbox), [impl = impl_.get()] { impl->finished(); });
}

}  // namespace voxgate::records
