#pragma once
// What a call knows of its own voice on the caller's line; about 5 KB, so only calls that listen have it.

#include "voxgate/audio/echo_gate.hpp"
#include "voxgate/audio/far_end.hpp"
#include "voxgate/call/call.hpp"

namespace voxgate::call {

struct Call::EchoEars {
  explicit EchoEars(audio::AudioFormat format) : far(format) {}
  audio::FarEndTracker far;
  audio::EchoGate gate;
};

}  // namespace voxgate::call
