#pragma once
// The shell of one call: owns the socket's session, the ticket, the slot, the streams and the call core, and carries
// bytes between them. Who closes what, in which order: src/call/LIFECYCLE.md.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/transfers.hpp"
#include "voxgate/base/pool.hpp"
#include "voxgate/base/slot_map.hpp"
#include "voxgate/call/call.hpp"
#include "voxgate/gateway/admission.hpp"
#include "voxgate/gateway/call_directory.hpp"
#include "voxgate/gateway/config.hpp"
#include "voxgate/gateway/metrics.hpp"
#include "voxgate/gateway/services.hpp"
#include "voxgate/net/http_server.hpp"
#include "voxgate/net/websocket.hpp"
#include "voxgate/records/recording.hpp"
#include "voxgate/records/store.hpp"

namespace voxgate::gateway {

class CallSession;

/// Calls of one loop.
using CallTable = SlotMap<CallSession>;
using SlotPool = Pool<call::CallSlot>;

/// What every session shares; outlives them all.
struct SessionDeps {
  const Config& config;
  Services& services;
  GatewayMetrics& metrics;
  CallDirectory& directory;
  Transfers& transfers;
  std::vector<std::unique_ptr<CallTable>>& tables;  // by loop index
  records::Store* store = nullptr;
  records::Recorder* recorder = nullptr;
};

/// What the upgrade already settled.
struct SessionInit {
  std::string path_call_id;  // of the URL
  std::string agent;         // of the token or the query; empty: the stream's parameters and the number decide
  std::string carrier;       // dialect fixed by token or route; empty: detected
  Admission::Ticket ticket;
  SlotPool::Lease slot;
};

/// One entry of what a call has done so far, for the admin door.
struct TurnView {
  call::TurnRecord turn;
  bool over = false;
};

/// Owner: the connection's coroutine. Thread: its loop.
class CallSession final : public net::WebSocketSession,
                          private net::MessageHandler,
                          private net::Tickable,
                          private call::MediaPort,
                          private call::CallHost,
                          private call::Timeline {
 public:
  CallSession(SessionDeps& deps, net::Loop& loop, SessionInit init);
  ~CallSession() override;

  net::Awaitable<void> run(net::WebSocket& socket) override;

  call::Call* call() { return call_.get(); }
  const std::vector<TurnView>& turns() const { return turns_; }
  /// Ends the call from our side: the peer gets `code`.
  void finish(call::EndReason reason, std::uint16_t code, std::string_view text);

 private:
  // net::MessageHandler, net::Tickable
  void on_message(bool is_text, std::span<const std::uint8_t> payload) override;
  void tick(Instant now) override;
  // call::MediaPort
  void send_audio(std::span<const std::uint8_t> bytes) override;
  void send_mark(std::string_view name) override;
  void send_clear() override;
  // call::CallHost
  void end_call(call::EndReason reason, std::string_view detail) override;
  // call::Timeline
  void on_event(call::EventKind kind, Duration at, std::string_view detail) override;
  void on_caller(const call::TurnRecord& turn) override;
  void on_turn(const call::TurnRecord& turn) override;
  void on_barge_in(Duration reaction) override;

  void begin_call(carriers::StreamStart start, Instant now);
  std::string choose_agent(const carriers::StreamStart& start) const;
  void record_caller(const carriers::MediaAudio& audio, Instant now);
  void on_malformed(const char* why);
  void settle(const net::CloseInfo& info);
  void write_end_of_record(call::EndReason reason);
  std::int64_t ms_since_start(Instant now) const { return to_ms(now - started_at_); }

  SessionDeps& deps_;
  net::Loop& loop_;
  SessionInit init_;
  net::WebSocket* socket_ = nullptr;
  Subscription tick_sub_, listed_;
  Handle handle_;
  std::unique_ptr<carriers::Dialect> dialect_;
  CallStreams streams_;
  std::unique_ptr<call::Call> call_;  // dies before the streams
  std::unique_ptr<records::Recording> recording_;
  std::string record_id_, call_id_;
  std::vector<TurnView> turns_;
  Instant opened_at_{}, started_at_{}, ended_at_{};
  std::optional<std::int64_t> first_media_ms_;  // where the media clock's zero lies in the call
  std::int64_t malformed_ = 0;
  std::optional<call::EndReason> ended_;
  std::string end_detail_;
  bool closing_ = false;
};

}  // namespace voxgate::gateway
