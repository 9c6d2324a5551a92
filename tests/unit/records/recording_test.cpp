#include "voxgate/records/recording.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <numbers>
#include <optional>
#include <random>
#include <set>

#include "records/tape.hpp"
#include "unit/records/records_support.hpp"
#include "voxgate/audio/g711.hpp"
#include "voxgate/audio/wav.hpp"

namespace voxgate::records {
namespace {

using namespace test;
using audio::AudioFormat;
using Bytes = std::vector<std::uint8_t>;
using Pcm = std::vector<std::int16_t>;

constexpr int kCaller = 0, kAgent = 1;

Bytes tone(AudioFormat format, std::int64_t ms) {
  Pcm pcm(format.samples_for_ms(ms));
  for (std::size_t i = 0; i < pcm.size(); ++i) {
    // A cosine, so that its very first sample can be seen.
    pcm[i] = static_cast<std::int16_t>(8000 *
                                       std::cos(2 * std::numbers::pi * 400 * static_cast<double>(i) / format.rate_hz));
  }
  Bytes out(format.bytes_of(pcm.size()));
  audio::encode(format.encoding, pcm, out);
  return out;
}

Bytes quiet(AudioFormat format, std::int64_t ms) {
  return Bytes(format.bytes_for_ms(ms), format.silence_byte());
}

struct Wav {
  explicit Wav(const std::string& path) : file(read_bytes(path)) {
    const auto parsed = audio::parse_wav(file);
    if (!parsed) throw std::runtime_error("not a WAV file: " + path);
    format = parsed->format;
    for (int c : {kCaller, kAgent}) pcm[c] = audio::wav_samples(*parsed, c);
  }
  /// Where sound begins and ends, in ms; holes of less than 5 ms do not end it.
  std::vector<std::pair<double, double>> bursts(int channel) const {
    std::vector<std::pair<double, double>> out;
    const double per_ms = format.audio.rate_hz / 1000.0;
    const auto hole = static_cast<std::size_t>(5 * per_ms);
    std::optional<std::size_t> first;
    std::size_t last = 0;
    for (std::size_t i = 0; i <= pcm[channel].size(); ++i) {
      if (i < pcm[channel].size() && std::abs(pcm[channel][i]) > 2500) {
        if (!first) first = i;
        last = i;
      } else if (first && (i == pcm[channel].size() || i - last > hole)) {
        out.emplace_back(static_cast<double>(*first) / per_ms, static_cast<double>(last + 1) / per_ms);
        first.reset();
      }
    }
    return out;
  }
  double length_ms() const { return static_cast<double>(pcm[0].size()) * 1000.0 / format.audio.rate_hz; }

  Bytes file;
  audio::WavFormat format;
  Pcm pcm[2];
};

void expect_burst(const Wav& wav, int channel, std::size_t index, double from, double to, double slack = 2) {
  const auto bursts = wav.bursts(channel);
  ASSERT_GT(bursts.size(), index) << "channel " << channel;
  EXPECT_NEAR(bursts[index].first, from, slack) << "channel " << channel << " burst " << index;
  EXPECT_NEAR(bursts[index].second, to, slack) << "channel " << channel << " burst " << index;
}

struct RecordingTest : ::testing::Test {
  TempDir dir;
  metrics::Registry registry;
  RecorderConfig config() const { return {dir.path()}; }
  double active() { return registry.gauge("voxgate_recordings_active", "").value(); }
  std::uint64_t lost() { return registry.counter("voxgate_recordings_lost_bytes_total", "").value(); }
  void wait_idle() {
    ASSERT_TRUE(eventually([&] { return active() == 0; }));
  }
};

/// Sends a side in messages of 20 ms, at media time.
void caller_frames(Recording& recording, AudioFormat f, std::int64_t from, std::int64_t to, std::int64_t on,
                   std::int64_t off) {
  for (std::int64_t at = from; at < to; at += 20) {
    recording.caller(at, at >= on && at < off ? tone(f, 20) : quiet(f, 20));
  }
}

TEST_F(RecordingTest, PlacesBothSidesInTheirTimeAndChannel) {
  const AudioFormat f = audio::kMulaw8k;
  Recorder recorder(config(), registry);
  auto recording = recorder.start("CA1", f, f);
  const std::string path = recording->path();
  EXPECT_EQ(active(), 1);
  caller_frames(*recording, f, 0, 1000, 200, 400);
  recording->agent(600, tone(f, 150));
  caller_frames(*recording, f, 1000, 12000, 11000, 11500);
  recording->agent(9000, tone(f, 300));
  recording.reset();
  wait_idle();
  const Wav wav(path);
  EXPECT_EQ(wav.format, (audio::WavFormat{audio::kMulaw8k, 2}));
  EXPECT_DOUBLE_EQ(wav.length_ms(), 12000);
  EXPECT_EQ(wav.bursts(kCaller).size(), 2u);
  EXPECT_EQ(wav.bursts(kAgent).size(), 2u);
  expect_burst(wav, kCaller, 0, 200, 400);
  expect_burst(wav, kCaller, 1, 11000, 11500);
  expect_burst(wav, kAgent, 0, 600, 750);
  expect_burst(wav, kAgent, 1, 9000, 9300);
  EXPECT_EQ(lost(), 0u);
}

TEST_F(RecordingTest, AudioSentAheadSoundsInItsTurn) {
  const AudioFormat f = audio::kMulaw8k;
  Recorder recorder(config(), registry);
  auto recording = recorder.start("CA1", f, f);
  const std::string path = recording->path();
  for (int i = 0; i < 10; ++i) recording->agent(1000 + i, tone(f, 40));  // 400 ms in 10 ms
  recording->agent(2000, tone(f, 40));
  recording.reset();
  wait_idle();
  const Wav wav(path);
  expect_burst(wav, kAgent, 0, 1000, 1400);
  expect_burst(wav, kAgent, 1, 2000, 2040);
}

TEST_F(RecordingTest, ACutSilencesWhatWasNotPlayed) {
  const AudioFormat f = audio::kMulaw8k;
  Recorder recorder(config(), registry);
  auto recording = recorder.start("CA1", f, f);
  const std::string path = recording->path();
  recording->agent(100, tone(f, 2000));
  recording->agent_cut(700);
  recording->agent_cut(900);  // nothing sounds there any more
  recording->agent(1000, tone(f, 100));
  recording.reset();
  wait_idle();
  const Wav wav(path);
  EXPECT_EQ(wav.bursts(kAgent).size(), 2u);
  expect_burst(wav, kAgent, 0, 100, 700);
  expect_burst(wav, kAgent, 1, 1000, 1100);
}

TEST_F(RecordingTest, TurnsAlawIntoMulaw) {
  Recorder recorder(config(), registry);
  auto recording = recorder.start("CA1", audio::kAlaw8k, audio::kMulaw8k);
  const std::string path = recording->path();
  Bytes codes(256);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i);
  recording->caller(0, codes);
  recording.reset();
  wait_idle();
  const Wav wav(path);
  ASSERT_EQ(wav.format.audio, audio::kMulaw8k);
  ASSERT_EQ(wav.pcm[kCaller].size(), 256u);
  for (std::size_t i = 0; i < 256; ++i) {
    const int wanted = audio::g711::alaw_to_linear(static_cast<std::uint8_t>(i));
    EXPECT_NEAR(wav.pcm[kCaller][i], wanted, std::abs(wanted) / 16 + 16) << i;
    EXPECT_NEAR(wav.pcm[kAgent][i], 0, 0);
  }
}

TEST_F(RecordingTest, LinearSidesMakePcmAtTheHigherRate) {
  Recorder recorder(config(), registry);
  auto recording = recorder.start("CA1", audio::kMulaw8k, audio::kLinear16k);
  const std::string path = recording->path();
  caller_frames(*recording, audio::kMulaw8k, 0, 2000, 500, 800);
  recording->agent(1000, tone(audio::kLinear16k, 250));
  recording.reset();
  wait_idle();
  const Wav wav(path);
  EXPECT_EQ(wav.format, (audio::WavFormat{audio::kLinear16k, 2}));
  expect_burst(wav, kCaller, 0, 500, 800, 8);  // the resampler delays by a few ms
  expect_burst(wav, kAgent, 0, 1000, 1250);
}

TEST_F(RecordingTest, StaysInTimeOverAnHourOfStalls) {
  // Every second a burst on both sides. The caller's path stalls for 5 % of the time and then delivers all at once,
  // stamped with the time of arrival: the worst a shell can do.
  const AudioFormat f = audio::kMulaw8k;
  std::mt19937 random(7);
  const Bytes loud = tone(f, 20), still = quiet(f, 20);
  const std::string path = dir / "hour.wav";
  constexpr std::int64_t kHour = 3600 * 1000;
  {
    Tape tape(path, f, f);
    std::int64_t stalled_until = 0, waiting_from = 0;
    for (std::int64_t now = 0; now < kHour; now += 20) {
      if (now >= stalled_until && random() % 200 == 0)
        stalled_until = now + 100 + 20 * static_cast<std::int64_t>(random() % 6);
      if (now % 1000 == 500) tape.agent(now, loud);
      if (now < stalled_until) continue;
      for (std::int64_t at = waiting_from; at <= now; at += 20) tape.caller(now, at % 1000 == 0 ? loud : still);
      waiting_from = now + 20;
      if (now % 500 == 0) tape.write_settled();
    }
    tape.finish();
    EXPECT_EQ(tape.take_lost(), 0u);
  }
  const Wav wav(path);
  EXPECT_NEAR(wav.length_ms(), kHour, 200);
  const auto heard = wav.bursts(kCaller), said = wav.bursts(kAgent);
  ASSERT_GE(heard.size(), 3599u);
  ASSERT_EQ(said.size(), 3600u);
  double worst = 0;
  for (std::size_t i = 0; i < 3599; ++i) {
    worst = std::max(worst, std::abs(heard[i].first - 1000.0 * static_cast<double>(i)));
    worst = std::max(worst, std::abs(said[i].first - 1000.0 * static_cast<double>(i) - 500));
  }
  EXPECT_LT(worst, 20);
}

TEST_F(RecordingTest, LostAudioLeavesSilence) {
  const AudioFormat f = audio::kMulaw8k;
  Recorder recorder(config(), registry);
  auto recording = recorder.start("CA1", f, f);
  const std::string path = recording->path();
  caller_frames(*recording, f, 0, 1000, 0, 1000);
  caller_frames(*recording, f, 1500, 2500, 1500, 2500);
  recording.reset();
  wait_idle();
  const Wav wav(path);
  expect_burst(wav, kCaller, 0, 0, 1000);
  expect_burst(wav, kCaller, 1, 1500, 2500);
}

TEST_F(RecordingTest, ARepeatedFrameReplacesItself) {
  const AudioFormat f = audio::kMulaw8k;
  Recorder recorder(config(), registry);
  auto recording = recorder.start("CA1", f, f);
  const std::string path = recording->path();
  for (std::int64_t at = 0; at < 200; at += 20) {
    recording->caller(at, tone(f, 20));
    recording->caller(at, tone(f, 20));
  }
  recording.reset();
  wait_idle();
  EXPECT_DOUBLE_EQ(Wav(path).length_ms(), 200);
}

TEST_F(RecordingTest, StampsOutOfAllBoundsAreRefused) {
  const AudioFormat f = audio::kMulaw8k;
  Recorder recorder(config(), registry);
  auto recording = recorder.start("CA1", f, f);
  const std::string path = recording->path();
  recording->caller(0, tone(f, 20));
  recording->caller(-5, tone(f, 20));
  recording->agent(std::int64_t{1} << 60, tone(f, 20));
  recording->agent_cut(std::int64_t{1} << 60);
  for (int i = 0; i < 90; ++i) recording->agent(0, quiet(f, 1000));  // nobody sends a minute ahead
  recording.reset();
  wait_idle();
  EXPECT_GT(lost(), 320u);
  EXPECT_LE(Wav(path).length_ms(), 62000);
}

TEST_F(RecordingTest, FileNamesAreNeverPathsFromOutside) {
  Recorder recorder(config(), registry);
  std::set<std::string> names;
  for (const std::string& id : {std::string("../../etc/passwd"), std::string("a/b\0c", 5), std::string("..."),
                                std::string(), std::string(5000, 'x'), std::string("same"), std::string("same")}) {
    const auto recording = recorder.start(id, audio::kMulaw8k, audio::kMulaw8k);
    const std::filesystem::path path = recording->path();
    EXPECT_EQ(path.parent_path().string(), dir.path());
    EXPECT_LT(path.filename().string().size(), 128u);
    EXPECT_EQ(
        path.stem().string().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"),
        std::string::npos)
        << path;
    names.insert(path.string());
  }
  EXPECT_EQ(names.size(), 7u);
}

TEST_F(RecordingTest, RefusesADirectoryItCannotHave) {
  std::ofstream(dir / "file") << "x";
  EXPECT_THROW(Recorder({dir / "file/below"}, registry), std::runtime_error);
  Recorder created({dir / "new/deep"}, registry);
  EXPECT_TRUE(std::filesystem::is_directory(dir / "new/deep"));
}

TEST_F(RecordingTest, OverflowLosesAudioNotTheCall) {
  const AudioFormat f = audio::kMulaw8k;
  RecorderConfig small = config();
  small.max_queued_bytes = 10000;
  Recorder recorder(small, registry);
  auto recording = recorder.start("CA1", f, f);
  const std::string path = recording->path();
  recording->caller(0, tone(f, 2000));  // never fits
  EXPECT_EQ(lost(), 16000u);
  recording->caller(2000, tone(f, 500));
  recording.reset();
  wait_idle();
  expect_burst(Wav(path), kCaller, 0, 2000, 2500);
}

TEST_F(RecordingTest, ADiskThatRefusesIsCountedAndComesBack) {
  const AudioFormat f = audio::kMulaw8k;
  const std::string gone = dir / "gone";
  std::filesystem::create_directory(gone);
  Tape tape(gone + "/a.wav", f, f);
  std::filesystem::remove(gone);
  for (std::int64_t at = 0; at < 10000; at += 20) tape.caller(at, tone(f, 20));
  tape.write_settled();
  EXPECT_GT(tape.take_lost(), 0u);
  EXPECT_FALSE(tape.error().empty());
  std::filesystem::create_directory(gone);
  for (std::int64_t at = 10000; at < 20000; at += 20) tape.caller(at, at < 15000 ? quiet(f, 20) : tone(f, 20));
  tape.finish();
  EXPECT_TRUE(tape.error().empty());
  const Wav wav(gone + "/a.wav");
  EXPECT_DOUBLE_EQ(wav.length_ms(), 20000);
  EXPECT_NEAR(wav.bursts(kCaller).back().first, 15000, 2);  // in its time, although the beginning is missing
}

TEST_F(RecordingTest, AFullDiskLeavesAPlayableFile) {
  const AudioFormat f = audio::kMulaw8k;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{50001, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  {
    Tape tape(dir / "a.wav", f, f);
    for (std::int64_t at = 0; at < 20000; at += 20) tape.caller(at, tone(f, 20));
    tape.finish();
    EXPECT_GT(tape.take_lost(), 0u);
    EXPECT_FALSE(tape.error().empty());
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  const Wav wav(dir / "a.wav");
  EXPECT_NEAR(wav.length_ms(), 50000 / 16.0, 10);
}

TEST_F(RecordingTest, ACrashLeavesAPlayableFile) {
  const AudioFormat f = audio::kMulaw8k;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Tape tape(dir / "a.wav", f, f);
    for (std::int64_t at = 0; at < 30000; at += 20) {
      tape.caller(at, tone(f, 20));
      if (at % 240 == 0) tape.write_settled();
    }
    ::_exit(0);  // no finish, no destructor
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const Wav wav(dir / "a.wav");
  EXPECT_GE(wav.length_ms(), 23000);
  EXPECT_LE(wav.length_ms(), 30000);
  // The header alone says how long it is, not the end of the file.
  const Bytes header = audio::wav_header(wav.format, wav.pcm[0].size() * 2);
  EXPECT_TRUE(std::equal(header.begin(), header.end(), wav.file.begin()));
}

TEST_F(RecordingTest, FilesGrowWhileTheCallLasts) {
  const AudioFormat f = audio::kMulaw8k;
  Recorder recorder(config(), registry);
  auto recording = recorder.start("CA1", f, f);
  caller_frames(*recording, f, 0, 10000, 0, 10000);
  EXPECT_TRUE(eventually([&] { return read_bytes(recording->path()).size() > 4000 * 16; }));
  EXPECT_EQ(active(), 1);
}

TEST_F(RecordingTest, TheRecorderMayGoFirst) {
  const AudioFormat f = audio::kMulaw8k;
  std::optional<Recorder> recorder;
  recorder.emplace(config(), registry);
  auto recording = recorder->start("CA1", f, f);
  recording->caller(0, tone(f, 100));
  recorder.reset();  // finishes the file
  EXPECT_EQ(active(), 0);
  recording->caller(100, tone(f, 100));
  const Wav wav(recording->path());
  EXPECT_DOUBLE_EQ(wav.length_ms(), 100);
}

TEST_F(RecordingTest, ManyCallsFromManyThreads) {
  const AudioFormat f = audio::kMulaw8k;
  Recorder recorder(config(), registry);
  std::vector<std::thread> threads;
  std::vector<std::vector<std::string>> paths(4);
  for (std::size_t t = 0; t < paths.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        auto recording = recorder.start("call-" + std::to_string(t), f, f);
        paths[t].push_back(recording->path());
        for (std::int64_t at = 0; at < 8000; at += 20) {
          recording->caller(at, quiet(f, 20));
          if (at == 4000) recording->agent(at, tone(f, 100 + i));
        }
      }
    });
  }
  for (auto& t : threads) t.join();
  wait_idle();
  for (const auto& own : paths) {
    ASSERT_EQ(own.size(), 10u);
    for (std::size_t i = 0; i < own.size(); ++i) {
      const Wav wav(own[i]);
      EXPECT_DOUBLE_EQ(wav.length_ms(), 8000);
      expect_burst(wav, kAgent, 0, 4000, 4100 + static_cast<double>(i));
    }
  }
  EXPECT_EQ(lost(), 0u);
}

}  // namespace
}  // namespace voxgate::records
