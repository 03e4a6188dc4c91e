#include "shim/family.h"

#include <atomic>

#include "shim/arena.h"
#include "shim/process.h"

namespace gaiter::shim::family {

namespace {

using life::Life;

// What is known of the latest members; of older ones it is not known whether they
// are gone, and so they are taken to be there.
constexpr uint32_t remembered = 4096;

// One member. Its own word comes last, its parent's whenever the parent gets to it.
struct Record {
  std::atomic<uint32_t> member;  // 0 = being written
  std::atomic<uint32_t> pid;     // 0 = not known yet
  std::atomic<uint32_t> space;   // PID namespace (life.h)
  std::atomic<uint32_t> outer_space;
  std::atomic<uint64_t> outer;  // member << 32 | its pid in outer_space, the parent's namespace
  std::atomic<int64_t> time;
};

struct Members {
  std::atomic<uint64_t> mark;  // not in a new program's memory
  std::atomic<uint32_t> last;
  Record latest[remembered];
};
static_assert(sizeof(Members) <= arena::family_size);

constinit uint32_t child = 0;  // under fd_table's gate

Members* members() { return static_cast<Members*>(arena::family()); }

// The parent's part may be there already, or come at any time.
void begin(Record& record, uint32_t member) {
  record.member.store(0);
  record.pid.store(0);
  record.outer_space.store(0);
  record.outer.store(0);
  record.member.store(member);
}

void enrol(uint32_t member) {
  Members* const all = members();
  if (all == nullptr) return;
  Record& record = all->latest[member % remembered];
  if (record.member.load() != member) begin(record, member);
  const life::Birth mine = life::birth(member);
  record.space.store(mine.space);
  record.time.store(mine.time);
  record.pid.store(mine.pid);
}

uint32_t next() {
  Members* const all = members();
  if (all == nullptr) return 1;
  const uint32_t number = all->last.fetch_add(1) + 1;
  return number != 0 ? number : all->last.fetch_add(1) + 1;
}

const uint64_t* mark() { return reinterpret_cast<const uint64_t*>(&members()->mark); }

// This process's namespace.
uint32_t here() { return life::birth(process::member()).space; }

}  // namespace

uint32_t self() {
  const uint32_t seen = process::member();
  if (seen != 0) [[likely]]
    return seen;
  if (Members* const all = members()) {
    uint64_t none = 0;
    const auto unlike = static_cast<uint64_t>(process::now()) << 16;
    all->mark.compare_exchange_strong(none, unlike | static_cast<uint16_t>(process::id()) | 1);
  }
  const uint32_t fresh = next();
  const uint32_t mine = process::set_member(fresh);
  if (mine == fresh) enrol(fresh);
  return mine;
}

uint32_t expect_child() {
  self();
  child = next();
  if (Members* const all = members()) begin(all->latest[child % remembered], child);
  life::before_birth();
  return child;
}

void become_child() { enrol(process::set_member(child)); }

void child_is(uint32_t member, int pid) {
  Members* const all = members();
  if (all == nullptr || member == 0) return;
  Record& record = all->latest[member % remembered];
  if (record.member.load() != member) return;
  record.outer_space.store(here());
  record.outer.store(uint64_t{member} << 32 | static_cast<uint32_t>(pid));
}

void join() {
  process::set_member(0);
  self();
}

Life look(uint32_t member, uint32_t thread) {
  if (thread == 0) return Life::dead;
  if (member == 0 || member == process::member()) return life::look(thread);
  Members* const all = members();
  if (all == nullptr) return Life::unknown;
  const Record& record = all->latest[member % remembered];
  const uint32_t pid = record.pid.load();
  const uint64_t outer = record.outer.load();
  const uint32_t space = record.space.load(), outer_space = record.outer_space.load();
  const int64_t time = record.time.load();
  if (record.member.load() != member) return Life::unknown;
  if (pid != 0 && space == here()) {
    const Life process = life::look(pid, time, mark());
    return process == Life::alive && thread != pid ? life::look(thread) : process;
  }
  if (outer >> 32 == member && outer_space == here())
    return life::look(static_cast<uint32_t>(outer), pid != 0 ? time : 0, mark());
  return Life::unknown;
}

bool is_gone(uint32_t member) {
  Members* const all = members();
  if (all == nullptr || member == process::member()) return false;
  const uint32_t pid = all->latest[member % remembered].pid.load();
  const uint64_t outer = all->latest[member % remembered].outer.load();
  // A fork under way.
  if (pid == 0 && outer >> 32 != member) return false;
  return look(member, pid != 0 ? pid : static_cast<uint32_t>(outer)) == Life::dead;
}

}  // namespace gaiter::shim::family
