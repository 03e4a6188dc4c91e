// Lines that would say the same again and again: the first is written in full, those of the
// minute after it are counted, and one line tells their number.
//
// Who sends a line to the log is a peer, a load balancer that looks whether the port is alive or
// somebody who means to fill the disk. 64 of them are kept apart (IPv6 by /64), the others are
// counted together; of one peer, so many kinds of lines. The counts lie in memory that a server
// shares with the children that it forks for its connections, and nothing depends on them but
// these lines. No allocation and no lock: safe in every thread and signal handler.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string_view>

#include "shim/log.h"
#include "shim/process.h"

namespace gaiter::shim::log {

inline constexpr int64_t sum_period = 60'000'000'000;  // nanoseconds

// At listen(2) and accept(2): whoever does this writes, as it exits, what was not written yet.
void keep_sums();

// Whether a line about `peer` (nullptr: nobody) is to be written now; else it was counted. Two
// lines are equal if these words ("rule=... cause=...") and the reason are.
bool is_first(Level level, const sockaddr* peer, std::string_view words, std::string_view reason,
              int64_t now = process::now());

// Writes the sums whose minute is over. From any hook that is no data path; one load if there are
// none. Gives when it must be called next (process::now(); INT64_MAX: nothing waits).
int64_t write_due_sums();
void write_sums_due_at(int64_t now);

// As the process exits.
void write_last_sums();

}  // namespace gaiter::shim::log
