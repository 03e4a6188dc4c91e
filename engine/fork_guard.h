// Keeps fork(2) out of the middle of OpenSSL: a child must not inherit a lock
// that a thread of its parent holds.
//
// Whatever calls OpenSSL does so inside an OpenSslStep, held shared; the
// functions before_fork() and after_fork_*() of engine/handshake.h hold it
// exclusively. A step is short (at most one signature) and does no I/O. A
// thread that is inside a step and forks in a signal handler does not wait for
// itself: then the child gets OpenSSL as the interrupted step left it, which is
// enough to exec.
#pragma once

namespace gaiter::engine {

class OpenSslStep {
 public:
  OpenSslStep();
  ~OpenSslStep();
  OpenSslStep(const OpenSslStep&) = delete;
  OpenSslStep& operator=(const OpenSslStep&) = delete;
};

}  // namespace gaiter::engine
