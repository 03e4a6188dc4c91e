#include "shim/fd_table.h"

#include <sched.h>
#include <sys/mman.h>

#include <cerrno>
#include <new>

#include "shim/arena.h"
#include "shim/connection.h"
#include "shim/epoll_set.h"
#include "shim/family.h"
#include "shim/lock.h"
#include "shim/new_process.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/tcp.h"

namespace gaiter::shim::fd_table {

constinit std::atomic<uint32_t> near[near_size]{};

namespace {

// Descriptors go up to fs.nr_open, at most 2^30: 2^14 chunks of 2^16.
constexpr int chunk_bits = 16;
constinit std::atomic<std::atomic<uint32_t>*> chunks[1 << 14]{};
static_assert(near_size == 1 << chunk_bits, "the first chunk");
constinit std::atomic<int> top = -1;

std::atomic<uint32_t>* entry_for(int fd, bool make) {
  if (fd < 0) return nullptr;
  if (static_cast<uint32_t>(fd) < near_size) return &near[fd];
  if (fd >= 1 << 30) return nullptr;
  auto& chunk = chunks[fd >> chunk_bits];
  std::atomic<uint32_t>* found = chunk.load(std::memory_order_acquire);
  if (found == nullptr) {
    if (!make) return nullptr;
    constexpr size_t size = sizeof(std::atomic<uint32_t>) << chunk_bits;
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    auto* const fresh = static_cast<std::atomic<uint32_t>*>(memory);
    if (chunk.compare_exchange_strong(found, fresh, std::memory_order_acq_rel)) {
      found = fresh;
    } else {
      munmap(memory, size);
    }
  }
  return found + (fd & ((1 << chunk_bits) - 1));
}

// With a slot's number: what the entry leads to is being changed, from or to it.
constexpr uint32_t changing = 0x8000'0000;
// With a slot's number: the program's wish.
constexpr uint32_t goes_with_exec = 0x4000'0000;
constexpr uint32_t number_mask = ~(changing | goes_with_exec);

// Keeps fork(2) apart from changes.
constinit Lock gate;
constinit LockResult frozen = LockResult::reentered;
constinit thread_local uint32_t expected_child = 0;  // 0 = no family member

// Changes that this thread is in: who then meets one is its own signal handler.
constinit thread_local int changes_here = 0;

// How often find() looks again: while that can be done soon, without delay, then for ten
// seconds.
constexpr int longest_change = 12'000;
void be_patient(int left) {
  if (left > longest_change - 2000) {
    sched_yield();
    return;
  }
  const int saved_errno = errno;
  const timespec nap{0, 1'000'000};
  real::ppoll(nullptr, 0, &nap, nullptr);
  errno = saved_errno;
}

// Stands in where nothing else may be said. Made once a process, never ended.
constinit std::atomic<Connection*> refusal = nullptr;

SlotRef refused() {
  Connection* present = refusal.load(std::memory_order_acquire);
  if (present == nullptr) {
    Connection* const fresh = Connection::make_refused(EBADF);
    if (fresh == nullptr) return {};
    hold(*fresh);
    if (refusal.compare_exchange_strong(present, fresh)) {
      present = fresh;
    } else {
      give_up(*fresh);
    }
  }
  return enter(*present) ? SlotRef(present) : SlotRef();
}

uint32_t number_of(const Slot& slot) { return arena::number_of(&slot); }
Slot* slot_of(uint32_t entry) { return static_cast<Slot*>(arena::at(entry & number_mask)); }
uint32_t entry_of(const Slot& slot, bool close_on_exec) {
  return number_of(slot) | (close_on_exec ? goes_with_exec : 0);
}

void raise_top(int fd) {
  int seen = top.load(std::memory_order_relaxed);
  while (seen < fd && !top.compare_exchange_weak(seen, fd)) {
  }
}

}  // namespace

std::atomic<uint32_t>* far(int fd) { return entry_for(fd, false); }

SlotRef find(int fd) {
  if (process::is_unannounced()) [[unlikely]]
    meet_new_process();
  std::atomic<uint32_t>* const entry = entry_for(fd, false);
  if (entry == nullptr) return {};
  for (int patience = longest_change; patience != 0; be_patient(--patience)) {
    const uint32_t number = entry->load(std::memory_order_acquire);
    if (number == 0) return {};
    if ((number & changing) != 0) {
      if (changes_here == 0) continue;
      break;
    }
    Slot* const slot = slot_of(number);
    if (!enter(*slot)) continue;
    SlotRef reference(slot);
    // The number may have been closed and given to another meanwhile.
    if ((entry->load(std::memory_order_acquire) & ~goes_with_exec) == (number & ~goes_with_exec))
      return reference;
  }
  // Whoever was changing it will not be done, or it leads to what has ended.
  return refused();
}

bool leads_to(int fd, const Slot& slot) {
  const std::atomic<uint32_t>* const entry = entry_for(fd, false);
  return entry != nullptr &&
         (entry->load(std::memory_order_acquire) & ~goes_with_exec) == number_of(slot);
}

int number_for(const Slot& slot, int preferred) {
  if (leads_to(preferred, slot)) [[likely]]
    return preferred;
  for (int fd = top.load(std::memory_order_acquire); fd >= 0; --fd) {
    if (leads_to(fd, slot)) return fd;
  }
  return -1;
}

bool close_on_exec(int fd) {
  const std::atomic<uint32_t>* const entry = entry_for(fd, false);
  return entry != nullptr && (entry->load(std::memory_order_relaxed) & goes_with_exec) != 0;
}

void set_close_on_exec(int fd, bool wish) {
  std::atomic<uint32_t>* const entry = entry_for(fd, false);
  if (entry == nullptr) return;
  uint32_t seen = entry->load(std::memory_order_relaxed);
  while (
      seen != 0 && (seen & changing) == 0 &&
      !entry->compare_exchange_weak(seen, wish ? seen | goes_with_exec : seen & ~goes_with_exec)) {
  }
}

bool publish(int fd, Slot& slot, bool close_on_exec) {
  if (process::is_unannounced()) [[unlikely]]
    meet_new_process();
  std::atomic<uint32_t>* const entry = entry_for(fd, true);
  if (entry == nullptr) return false;
  const LockGuard guard(gate, true);
  Slot* kept = &slot;
  // A fork since it was made: the child has the memory, and is not to see what comes.
  if (slot.kind() == Kind::connection && !arena::is_open(&slot) && slot.references().load() == 0)
    kept = static_cast<Connection&>(slot).move_to_new_memory();
  if (kept == nullptr) return false;
  hold(*kept);
  entry->store(entry_of(*kept, close_on_exec), std::memory_order_release);
  raise_top(fd);
  return true;
}

Change::Change(int fd, Slot* next) : fd_(fd), next_(next), entry_(entry_for(fd, next != nullptr)) {
  if (process::is_unannounced()) [[unlikely]]
    meet_new_process();
  ++changes_here;
  if (entry_ == nullptr) return;
  const LockGuard guard(gate, true);
  uint32_t seen = entry_->load(std::memory_order_acquire);
  uint32_t marked;
  do {
    // Two threads that change the same number: the kernel sorts them out, and the
    // second one's word counts.
    const bool ours = seen != 0 && (seen & changing) == 0;
    before_ = ours ? slot_of(seen) : nullptr;
    was_ = ours ? seen : 0;
    marked = changing | (next != nullptr ? number_of(*next) : seen);
    if (marked == changing) return;
  } while (!entry_->compare_exchange_weak(seen, marked));
  if (next != nullptr) {
    hold(*next);  // counted first, so that it cannot end meanwhile
    raise_top(fd);
  }
}

void Change::done(bool close_on_exec) {
  if (entry_ == nullptr || next_ == nullptr) return;
  entry_->store(entry_of(*next_, close_on_exec), std::memory_order_release);
  entry_ = nullptr;
  if (before_ != nullptr) give_up(*before_);
}

void Change::undo() {
  if (entry_ == nullptr) return;
  entry_->store(was_, std::memory_order_release);
  entry_ = nullptr;
  if (next_ != nullptr) give_up(*next_);
}

Change::~Change() {
  --changes_here;
  if (entry_ == nullptr) return;
  settle(fd_);
  if (before_ != nullptr) give_up(*before_);
  if (next_ != nullptr) give_up(*next_);
}

Slot* withdraw(int fd) {
  if (process::is_unannounced()) [[unlikely]]
    meet_new_process();
  std::atomic<uint32_t>* const entry = entry_for(fd, false);
  if (entry == nullptr) return nullptr;
  const LockGuard guard(gate, true);
  uint32_t number = entry->load(std::memory_order_acquire);
  while (number != 0 && (number & changing) == 0 &&
         !entry->compare_exchange_weak(number, number | changing)) {
  }
  return number == 0 || (number & changing) != 0 ? nullptr : slot_of(number);
}

void settle(int fd) {
  std::atomic<uint32_t>* const entry = entry_for(fd, false);
  if (entry == nullptr) return;
  uint32_t seen = entry->load(std::memory_order_relaxed);
  while ((seen & changing) != 0 &&
         !entry->compare_exchange_weak(seen, 0, std::memory_order_release)) {
  }
}

bool forget(int fd) {
  Slot* const slot = withdraw(fd);
  if (slot == nullptr) return false;
  settle(fd);
  give_up(*slot);
  return true;
}

int highest() { return top.load(std::memory_order_acquire); }

void for_each(void (*visit)(int fd, Slot& slot, void* context), void* context) {
  const int last = top.load(std::memory_order_acquire);
  for (int fd = 0; fd <= last; ++fd) {
    if (has(fd)) {
      if (const SlotRef slot = find(fd)) visit(fd, *slot.get(), context);
    }
  }
}

namespace {

template <class Visit>
void for_each_entry(Visit visit) {
  const int last = top.load(std::memory_order_acquire);
  for (int first = 0; first <= last; first += 1 << chunk_bits) {
    std::atomic<uint32_t>* const entries = entry_for(first, false);
    if (entries == nullptr) continue;  // one high number costs nothing for those below
    for (int i = 0; i < 1 << chunk_bits && i <= last - first; ++i) {
      const uint32_t number = entries[i].load(std::memory_order_acquire);
      if ((number & number_mask) != 0) visit(first + i, entries[i], number);
    }
  }
}

}  // namespace

// The gate is taken by hand: prepare and thaw are different functions.
void freeze_for_fork() {
  if (process::is_unannounced()) meet_new_process();
  frozen = gate.acquire(true);
  arena::before_fork();
  expected_child = 0;
  if (top.load() < 0) return;  // nothing is shared: no memory is spent on a family
  expected_child = family::expect_child();
  for_each_entry([](int, auto&, uint32_t number) {
    Slot& slot = *slot_of(number);
    hold_for(slot, expected_child);
    if (slot.kind() == Kind::connection) static_cast<Connection&>(slot).expect_company();
  });
}

void thaw_in_parent() {
  arena::after_fork_in_parent();
  gate.release(frozen);
}

void thaw_in_child() {
  new (&gate) Lock;
  arena::after_fork_in_child();
  changes_here = 0;
  if (top.load() < 0) return;
  family::become_child();
  // Another thread of the parent was changing these, and nobody here will say how
  // it went: a TCP socket that is there is taken for ours.
  const int saved_errno = errno;
  for_each_entry([](int fd, auto& entry, uint32_t number) {
    if (Slot& slot = *slot_of(number); slot.kind() == Kind::connection)
      static_cast<Connection&>(slot).forget_desks();
    if ((number & changing) == 0) return;
    const bool still_there = is_tcp(fd);
    entry.store(still_there ? number & ~changing : 0);
    if (!still_there) give_up(*slot_of(number));
  });
  errno = saved_errno;
}

namespace {

// Whether `fd`, inherited, still leads where the parent's entry says.
bool is_what_it_was(int fd, const Slot& slot) {
  switch (slot.kind()) {
    case Kind::connection:
      return static_cast<const Connection&>(slot).is_socket(fd);
    case Kind::epoll_set:
      return static_cast<const EpollSet&>(slot).fd == fd;
    case Kind::relay_end:
      break;
  }
  return false;  // a plain local socket is less, and no harm
}

}  // namespace

void adopt_unannounced() {
  new (&gate) Lock;
  changes_here = 0;
  if (top.load() < 0) return;
  family::join();
  const int saved_errno = errno;
  for_each_entry([](int fd, auto& entry, uint32_t number) {
    Slot* const slot = slot_of(number);
    const SlotRef present(enter(*slot) ? slot : nullptr);
    if (present && (number & changing) == 0 && is_what_it_was(fd, *slot)) {
      hold_inherited(*slot);
      if (slot->kind() != Kind::connection) return;
      auto& connection = static_cast<Connection&>(*slot);
      connection.forget_desks();
      connection.expect_company();
      return;
    }
    slot->references().fetch_sub(Slot::descriptor);
    const SlotRef stand_in = is_tcp(fd) ? refused() : SlotRef();
    entry.store(stand_in ? number_of(*stand_in.get()) : 0);
    if (stand_in) hold(*stand_in.get());
  });
  errno = saved_errno;
}

void child_is(int pid) { family::child_is(expected_child, pid); }

void undo_fork() {
  for_each_entry(
      [](int, auto&, uint32_t number) { forget_holder(*slot_of(number), expected_child); });
}

}  // namespace gaiter::shim::fd_table
