// Another preload behind this one that has a connect(2) of its own (proxychains, torsocks): what
// it does on TCP sockets inside our call of it is its own dialogue, with a proxy perhaps, and may
// make something else of the descriptor.
//
// Default: such a dialogue is refused, and with it the connect.
#pragma once

namespace gaiter::shim::behind {

// Around the call of the next connect(2), for this thread.
class Call {
 public:
  Call();
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Whether there was a dialogue, which was refused.
  bool was_refused() const { return refused_; }

 private:
  friend bool refuses_dialogue();
  Call* const outer_;
  const bool is_libcs_;
  bool refused_ = false;
};

// For a call on a TCP socket: whether it is made from within another library's connect(2), and
// must be refused; then errno is EACCES and the log has been told. A load and a branch elsewhere.
bool refuses_dialogue();

// Whether the next connect(2) is not libc's: then it may have put something else under the number.
bool turns_sockets();
// The descriptor that was to be connected leads elsewhere now: tells the log which library it was.
void log_turned();

}  // namespace gaiter::shim::behind
