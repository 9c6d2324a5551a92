#pragma once
// spandsp's headers are C and only work in this order.

// clang-format off
extern "C" {
#include <spandsp/telephony.h>
#include <spandsp/fast_convert.h>
#include <spandsp/bit_operations.h>
#include <spandsp/logging.h>
#include <spandsp/complex.h>
#include <spandsp/vector_float.h>
#include <spandsp/complex_vector_float.h>
#include <spandsp/tone_detect.h>
#include <spandsp/tone_generate.h>
#include <spandsp/super_tone_rx.h>
#include <spandsp/dtmf.h>
#include <spandsp/g711.h>
#include <spandsp/plc.h>
}
// clang-format on
