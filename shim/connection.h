// A protected TCP connection: from a plain socket that a rule matched to TLS
// records, behind calls that behave as on plain TCP.
//
// A Connection lies in the arena, so fork family members share it. Its state is
// plain data under one lock per direction, and any of them may have written anything
// there: what decides is what each knows by itself (Holder). What only the handshake
// needs is on the heap of the process that performs it (PrivatePart). `fd` is always one of
// the caller's numbers for the socket. Methods set errno as the system call of
// the same purpose does; all are thread-safe.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/handshake.h"
#include "engine/records.h"
#include "shim/arena.h"
#include "shim/flag.h"
#include "shim/holder.h"
#include "shim/lock.h"
#include "shim/slot.h"

namespace gaiter::shim {

class ActiveRule;
class CallDeadline;
struct Portable;
struct PortableBytes;
enum class ClearText : uint8_t;
struct Registration;

enum class State : uint8_t {
  fresh,       // a TCP socket, not connected: clear so far, watched
  pending,     // a rule matched; not one byte has moved
  connecting,  // TCP's own connect is under way
  handshaking,
  open,
  failed,  // every call gives `error`
};

// Sealed bytes that the socket did not take yet.
struct Outbox {
  uint32_t at, length;  // of the connection's outbox (arena.h)
  Flag deferred;        // may wait for the next data: session tickets

  bool urgent() const { return length != 0 && !deferred; }
};

struct Reading {
  Lock lock;
  // Whether a read would give something without asking the kernel. `unsure`: a
  // whole record waits that was not opened yet.
  enum class Hint : uint8_t { nothing, unsure, something };
  std::atomic<Hint> hint{Hint::nothing};
  Flag ended = false;             // close_notify came, or FIN where that is allowed
  AtomicFlag shut{false};         // by the program's own shutdown(2): see stop_reading()
  AtomicFlag kernel_shut{false};  // and the kernel was told
  // Both streams have ended in order. A reset that comes yet is the answer to a close_notify
  // by a socket that is closed, or shut both ways: it would have taken a FIN.
  AtomicFlag parted{false};
  Flag cut_off = false;                // FIN without close_notify
  int error = 0;                       // of recv(2), not told to the program yet
  Flag told = false;                   // a reset, by SO_ERROR: TCP then just says the end
  AtomicFlag drained{false};           // the kernel had no more than the last recv took
  std::atomic<uint32_t> low_water{1};  // SO_RCVLOWAT, in the program's bytes
  // Threads asleep in poll(2) or select(2): for input, of whom one that takes it off the
  // kernel's queue before they saw it there must know; and for anything else.
  std::atomic<uint16_t> pollers{0}, other_pollers{0};
  Flag past_tickets = false;     // as ReadState's
  Flag expects_tickets = false;  // client, TLS 1.3, before the first data
  Flag fetched = false;          // a recv gave something since the inbox was settled
  // A recv is under way, behind what the inbox holds. If the next to hold the lock
  // finds this, it was cut off (a cancelled thread, a longjmp, a killed process),
  // and may have taken bytes off the socket: `taken` of all there ever were.
  Flag receiving = false;
  std::atomic<uint64_t> taken{0};
  // Somebody has the state and what is left of the inbox on his desk (desk.h). If the next to
  // hold the lock finds this, and it is not his, they are lost.
  Flag is_on_desk = false;
  engine::ReadState state{};
  // Bytes in the connection's inbox (arena.h): opened ones, and behind them ciphertext.
  struct Left {
    uint32_t plain, cipher;
  } left{};
};

struct Writing {
  // A KeyUpdate is due: by the AEAD's limit, or by the policy.
  bool rekey_is_due() const;

  Lock lock;
  AtomicFlag urgent{false};        // outbox.urgent(), for readers without the lock
  AtomicFlag owes_update{false};   // the peer asked for a KeyUpdate
  AtomicFlag owes_refusal{false};  // TLS 1.2: no_renegotiation
  AtomicFlag shut{false};          // by the program's own shutdown(2)
  Flag ended = false;              // our close_notify is sealed
  Flag drained = false;            // not because the program wished so
  Flag finish = false;             // shutdown(2) is due when the outbox is empty
  Flag behind_finished = false;    // client, TLS 1.3: nothing of the program's was sent
  int64_t rekey_at = 0;            // when the policy wants new keys (process::now()); 0 = never
  // A send is under way. If the next to hold the lock finds this, it was cut off, and has
  // given the socket more than it could tell, perhaps: see Flight.
  Flag sending = false;
  engine::WriteState state{};
  Outbox outbox{};
};

// What is being sent, under the lock of Writing (apart, as that fills its cache lines).
struct Flight {
  std::atomic<uint32_t> given{0};  // bytes to the socket, ever, modulo 2^32; readers look
  uint32_t at = 0, length = 0;     // of a batch; 0 = it is the outbox
  Flag in_outbox = false;          // where a copy of the batch is
};

// How fast a stream comes, under the lock of Reading: as of the last recv that had to wait
// (connection_pace.cpp).
struct Pace {
  uint64_t taken = 0;  // bytes off the socket, ever
  int64_t at = 0;      // when (process::now()); 0 = the stream is not a long one yet
  uint64_t began = 0;  // `taken` when we last had sent something
  uint32_t given = 0;  // bytes to the socket, ever, modulo 2^32
};

// An epoll set, as members name it to each other, and the first registration there.
struct Registered {
  uint64_t segment;  // of the set; 0 = none
  uint32_t number, index;
};

// The outcome of driving a connection without waiting.
enum class Progress : uint8_t { done, wait_readable, wait_writable, wait_other, failed };

// A batch of sealed records and where each begins (connection_write.cpp).
class Batch;

class Connection : public Slot {
 public:
  Connection() : Slot(Kind::connection) {}

  // A watched TCP socket. nullptr: no memory.
  static Connection* make_watched();
  // One that was accepted and is to be protected, unless `clear` has its way.
  static Connection* make_pending(ActiveRule& rule, ClearText clear);
  // One that is refused from the start.
  static Connection* make_refused(int error);
  // The same connection elsewhere, before any descriptor leads to it; this one is over.
  // nullptr: no memory.
  Connection* move_to_new_memory();

  // Never nearer to clear than this process has seen before, unless it went back itself
  // (abandon_connect, go_clear). What makes no sense is State::failed, for good.
  State state() const {
    const State shared = state_.load(std::memory_order_acquire);
    return shared == holder().seen.load(std::memory_order_acquire) ? shared : judge(shared);
  }
  // The peer, for log lines and sessions: a socket that was reset has forgotten it.
  void set_remote(const sockaddr* remote);
  // Remembers which socket of the kernel's this is, so that it can be told from
  // another one under the same number.
  void identify(int fd);
  bool is_socket(int fd) const;
  const sockaddr* remote() const { return reinterpret_cast<const sockaddr*>(&remote_); }

  bool is_protected() const { return state() != State::fresh; }
  // Of a protected one.
  ActiveRule& rule() const { return *holder().rule.load(std::memory_order_relaxed); }
  // connect(2) is about to connect it in clear, as the policy has it.
  void let_pass() { holder().passed.store(true); }
  // Whether a fresh one is to be left to the kernel's own calls. One that a fork has shared
  // may have been connected by somebody else, perhaps to where a rule says TLS: then it is
  // refused from now on. One system call, for such a socket only.
  bool may_be_clear(int fd);
  // Fresh, and held by others, perhaps (adoption.h): what this process alone remembers.
  bool travels() const;
  void set_travels(bool does);
  // It turned out to be connected where `rule` does not allow: refused from now on.
  void turn_away(int fd, ActiveRule* rule, int error);
  // Before fork(2), for what both sides will have; and in the child.
  void expect_company();
  void forget_desks();
  // Every rule that a connection of this process refers to. Slow.
  static std::vector<const ActiveRule*> rules_in_use();

  // fresh -> connecting, before the TCP connect is tried, so that not one clear
  // byte can leave in between; back to fresh if TCP refused.
  // False: another thread was first, or is using the socket still.
  bool begin_connect(ActiveRule& rule, engine::ExpectedPeer peer, const sockaddr* remote);
  void abandon_connect(int error);
  // A descriptor that survived exec would carry on in clear: all of this process's
  // are closed by it, whatever the program wishes (fd_table). And back.
  void hide_from_exec();
  void leave_to_exec();
  // TCP's answer is in: the handshake may begin.
  void tcp_connected() { advance(State::handshaking); }
  // What a failed non-blocking connect left for SO_ERROR; taken once.
  int take_connect_error() { return as_errno(connect_error_.exchange(0), 0); }

  // ---- handshake (connection_handshake.cpp) ----

  // Goes as far as it goes without waiting. `polls`: the caller asks the kernel,
  // by poll(2), for what this waits for, so what is not there yet is not looked for.
  Progress step(int fd, bool polls = false);
  // Until open: waits if the socket is blocking and `flags` has no MSG_DONTWAIT.
  // 0, or -1 with errno (EAGAIN, EINTR, or the refusal's).
  int secure(int fd, int flags, int timeout_option);
  // Absolute (process::now()); 0 = no clock runs. start_clock() is idempotent.
  void start_clock();
  int64_t deadline() const { return holder().deadline.load(std::memory_order_relaxed); }
  int error() const;

  // ---- clear text after all (connection_clear.cpp) ----

  // Whether it is not known yet if the peer speaks TLS. Not one byte has moved, and
  // no clock runs until the program has something to say first.
  bool is_undecided() const;
  // The program wants to write: the peer has until the deadline to begin TLS.
  void wants_to_speak();

  // ---- data (connection_read.cpp, connection_write.cpp) ----

  ssize_t receive(int fd, engine::IovCursor sink, int flags);
  // MSG_PEEK | MSG_TRUNC: how many of `length` bytes a read would give.
  ssize_t count(int fd, size_t length, int flags);
  // Bytes that receive() would give at once (FIONREAD).
  ssize_t readable_bytes(int fd);
  ssize_t transmit(int fd, engine::IovCursor from, size_t length, int flags);
  ssize_t transmit_file(int fd, int in, off_t* offset, size_t count);
  uint32_t unsent_bytes() const { return writing_.outbox.urgent() ? outbox().length : 0; }

  // ---- SO_RCVLOWAT (connection_low_water.cpp) ----

  // The kernel would count ciphertext: its own mark stays at 1 while a connection is
  // protected. As setsockopt(2).
  int set_low_water(int fd, const void* value, socklen_t length);
  int low_water() const { return static_cast<int>(reading_.low_water.load()); }
  // Of a socket that becomes protected, or turns out to be clear after all.
  void take_low_water(int fd);
  void give_back_low_water(int fd);

  // ---- readiness (connection_ready.cpp), in poll(2)'s bits ----

  // What the program may see of what it `wanted`, given what the kernel said
  // (0 before it was asked). Drives handshake, reads ahead, flushes; never waits.
  // `asking` is the epoll registration that will be told. With ask_again somebody
  // else is at the connection: what the kernel said must be tried again soon.
  static constexpr uint32_t ask_again = 1u << 27;
  uint32_t ready(int fd, uint32_t wanted, uint32_t kernel, const Registration* asking = nullptr);
  // What to ask the kernel for on the program's behalf.
  uint32_t kernel_interest(uint32_t wanted) const;
  Reading::Hint read_hint() const { return reading_.hint.load(std::memory_order_acquire); }
  bool output_waits() const { return writing_.urgent.load(std::memory_order_acquire); }
  bool kernel_drained() const { return reading_.drained; }
  // How much has come so far, of which edges tell; what the socket gave is the lower bound.
  // The end of the stream is one more.
  uint64_t arrived(int fd) const;
  uint64_t taken() const { return reading_.taken.load(std::memory_order_relaxed); }

  // Around a sleep in poll(2).
  enum class Sleep : uint8_t {
    sound,    // whatever there will be to see wakes
    shallow,  // somebody waits in recv(2) already, and what he leaves will not wake
    none,     // there is something now
  };
  Sleep begin_polling(uint32_t wanted);
  void end_polling(uint32_t wanted);
  // For SO_ERROR: an error that readiness came upon, or the kernel's; taken once.
  int take_read_error(int fd);

  // ---- to a process that has not its memory (connection_portable.cpp) ----

  // Of an open connection that nobody is at: packs it, and if `send()` says that it is there,
  // it is over here: every call gives EBADF. False: it is still here.
  template <class Send>
  bool move_elsewhere(Portable& to, PortableBytes& bytes, const Send& send);
  // nullptr: it makes no sense, or there is no memory.
  static Connection* unpack(const Portable& from, const PortableBytes& bytes);

  // ---- end (connection_close.cpp) ----

  int shut_down(int fd, int how);
  // The reading side of shutdown(2), which the kernel is not told of if nobody sleeps who
  // must be woken (false): it would answer the peer's close_notify, which to it is data
  // that comes too late, with a reset.
  bool stop_reading();
  // The FIN of shutdown(2), and what that returns.
  int end_stream(int fd);
  // Before the kernel closes the last descriptor: flushes, says close_notify, and
  // waits no longer than `until` (process::now()) for TCP to take it.
  // Whether close_notify was said now and has left.
  bool say_goodbye(int fd, int64_t until);
  void swallow_control(int fd);
  // Whether data has come that the program did not read: then plain TCP resets.
  bool has_unread_data(int fd);
  void reset_by_close(int fd);
  // Both, before the last descriptor is closed, unless the program wants a reset.
  // Waits until the rule's close_timeout after `since` at most.
  void part(int fd, int64_t since);
  // For a connection whose rule has changed (drain.h): ends it with close_notify if
  // it is quiet, that is, nothing moved for a second, the last to be asked has
  // answered, and nothing waits to be sent or read. False: not now.
  bool end_if_quiet(int fd);
  // No reference is left here: gives back what this process has, and all if it is the last.
  void end();

  AtomicFlag connect_reported{false};  // connect(2) has returned 0
  AtomicFlag streamed{false};          // libc has a stream on it: no hook sees that
  // In epoll sets (epoll_set.h), under registrations_lock.
  static constexpr int most_registrations = 4;
  Registered registrations[most_registrations]{};
  Lock registrations_lock;
  bool has_registrations() const;
  AtomicFlag kicked{false};  // one of them is, perhaps

 private:
  // The heap side, of this process only.
  struct PrivatePart;
  PrivatePart* private_part() const;
  PrivatePart* make_private_part();
  void drop_private_part();

  State judge(State shared) const;
  void advance(State next);
  void return_to_fresh();
  // A number from shared memory that is to be an errno.
  static int as_errno(int error, int otherwise) {
    return error > 0 && error < 4096 ? error : otherwise;
  }

  int64_t handshake_timeout() const;
  int64_t close_timeout() const;
  Progress look_for_tls(int fd);
  Progress go_clear(int fd, const std::string& why);
  ssize_t receive_clear(int fd, engine::IovCursor& sink, int flags) const;
  ssize_t transmit_clear(int fd, engine::IovCursor& from, int flags) const;
  Progress step_locked(int fd, bool polls);
  bool was_asked() const;
  Progress check_tcp(int fd);
  bool begin_handshake(int fd);
  void install(int fd, engine::Secured secured);
  Progress refuse(int fd, const engine::Failure& failure);
  void break_off(int fd, const char* cause, const char* reason);
  void fail(int error);

  // `fd`, or another number if that was closed while a call was asleep.
  int still(int fd) const;
  // ---- what is shared, and what this process works on (connection_desk.cpp) ----

  bool open_desk();
  bool has_desk() const;
  engine::Inbox& inbox() const;
  void share_desk();
  void clear_desk();
  void close_desk();
  // Around a sleep under the lock of Reading, in which this process may be killed.
  void before_sleep();
  void after_sleep();
  class Asleep;
  bool take_write_state(engine::WriteState& state);
  void put_write_state(engine::WriteState& state);
  // Checked: within the room there is.
  Outbox outbox() const;
  uint8_t* outbox_bytes() const { return arena::outbox_of(this); }
  void set_outbox(const uint8_t* data, uint32_t length, bool deferred);
  void keep_or_give_back(uint8_t* buffer, size_t used, bool& is_warm);
  void give_back_buffers();
  void distrust(const char* what);
  bool pack(Portable& to, PortableBytes& bytes);

  void recover_input(int fd);
  void settle_inbox();

  ssize_t fill(int fd, size_t wanted, int flags);
  int digest(int fd, const engine::Received& received);
  bool grant_idle_records();
  bool has_paused() const;
  bool go_on_after_pause(int fd, int flags);
  bool open_next(int fd);
  void note_end(int fd);
  // Whether the program's memory takes what waits to be put there; else EFAULT.
  bool takes_data(int fd, engine::IovCursor& sink) const;
  ssize_t read_locked(int fd, LockResult lock, engine::IovCursor& sink, int flags);
  ssize_t peek_locked(int fd, engine::IovCursor& sink, int flags);
  bool gather(int fd, size_t wanted, int flags);
  size_t least_of(size_t length) const;
  size_t least_visible() const;
  bool await_input(int fd, bool has_some);
  bool let_pollers_see(int fd, int flags);
  std::atomic<uint16_t>& pollers_for(uint32_t wanted);
  bool await_more(int fd, int64_t until);
  void let_stream_gather(int fd);
  void report_end();
  bool pull(int fd, const Registration* asking);
  engine::TicketSink ticket_sink();

  bool append(const uint8_t* data, size_t length, bool deferred);
  bool flush(int fd, int flags, int64_t until = 0);
  void append_alert(engine::Alert alert, bool deferred);
  void pay_debts();
  void start_rekey_clock();
  void settle_debts(int fd);
  void send_alert(int fd, engine::Alert alert);
  void release_outbox();
  void take_deferred(Batch& batch);
  int ready_to_write(int fd, int flags, const CallDeadline& deadline);
  ssize_t write_locked(int fd, LockResult lock, engine::IovCursor& from, size_t length, int flags);
  ssize_t transmit_file_locked(int fd, int in, off_t* offset, size_t count,
                               const CallDeadline& deadline);
  size_t send_batch(int fd, Batch& batch, size_t plaintext, int flags, int64_t until);
  ssize_t send_until(int fd, const uint8_t* data, size_t length, int flags, int64_t until);
  void push_behind_finished(int fd);
  bool exhausted(int fd);
  ssize_t send_sealed(int fd, const uint8_t* data, size_t length, int flags);
  bool keep_unsent(Batch& batch, size_t sent, size_t& taken_back);
  bool seal_next(Batch& batch, engine::WriteState& state, engine::IovCursor& from, size_t length);
  engine::HighWater* high_water() const;
  bool is_torn(int fd, LockResult result);
  bool may_touch(const LockGuard& guard);
  bool keeps(const Lock& lock);
  bool recover_output(int fd);

  std::atomic<State> state_{State::fresh};
  std::atomic<int> error_{0};
  std::atomic<int> connect_error_{0};
  std::atomic<uint64_t> rule_number_{0};  // ActiveRule::number()
  sockaddr_in6 remote_{};                 // or a sockaddr_in
  std::atomic<uint32_t> steps_{0};        // of the handshake, by whichever process
  int64_t began_ = 0;  // the handshake; then, the time that grant_idle_records() has not spent
  Flight flight_;
  Pace pace_;

  Reading reading_;
  Writing writing_;
};

static_assert(sizeof(Connection) <= arena::slot_size);

template <class Send>
bool Connection::move_elsewhere(Portable& to, PortableBytes& bytes, const Send& send) {
  const LockGuard reading(reading_.lock, false);
  const LockGuard writing(writing_.lock, false);
  if (!reading.held() || !writing.held()) return false;
  const bool moved = pack(to, bytes) && send();
  if (moved) fail(EBADF);
  close_desk();
  return moved;
}

// Marks the holder of Reading asleep for a scope.
class Connection::Asleep {
 public:
  explicit Asleep(Connection& connection) : connection_(connection) {
    connection_.before_sleep();
    connection_.reading_.lock.park();
  }
  ~Asleep() {
    if (connection_.reading_.lock.unpark()) connection_.after_sleep();
  }
  Asleep(const Asleep&) = delete;
  Asleep& operator=(const Asleep&) = delete;

 private:
  Connection& connection_;
};

// Before close(2) of `fd`: says what must be said if it is the last one of a protected
// connection.
void before_close(int fd);

// A typed look at a reference.
inline Connection* as_connection(const SlotRef& slot) {
  return slot && slot.get()->kind() == Kind::connection ? static_cast<Connection*>(slot.get())
                                                        : nullptr;
}

// Whether this process has ever set SO_RCVLOWAT: else none is looked for.
extern std::atomic<bool> low_waters_are_used;

}  // namespace gaiter::shim
