#include "shim/process.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace gaiter::shim::process {

namespace {

struct ProcessPage {
  std::atomic<uint32_t> generation;  // 0 = a new process
  std::atomic<uint32_t> announced;   // 0 = and it has not been told so
  std::atomic<uint32_t> pid;
  std::atomic<uint32_t> member;
  std::atomic<ino_t> space;  // of the first process of a PID namespace, if /proc tells; else 0
};

constinit std::atomic<ProcessPage*> page = nullptr;
constinit ProcessPage fallback_page{};

constinit std::atomic<uint32_t> generations = 0;

thread_local uint32_t cached_thread = 0;
thread_local uint32_t cached_in = 0;  // generation

uint32_t bare_getpid() { return static_cast<uint32_t>(::syscall(SYS_getpid)); }

ProcessPage& current_page() {
  ProcessPage* const present = page.load(std::memory_order_acquire);
  return present != nullptr ? *present : fallback_page;
}

ino_t pid_namespace() {
  struct stat status;
  const int saved_errno = errno;
  const bool told = stat("/proc/self/ns/pid", &status) == 0;
  errno = saved_errno;
  return told ? status.st_ino : 0;
}

// Two threads may be first: they find the same.
uint32_t begin(ProcessPage& here) {
  here.pid.store(bare_getpid(), std::memory_order_relaxed);
  if (here.pid == 1) here.space.store(pid_namespace(), std::memory_order_relaxed);
  uint32_t seen = 0;
  const uint32_t fresh = generations.fetch_add(1, std::memory_order_relaxed) + 1;
  if (here.generation.compare_exchange_strong(seen, fresh, std::memory_order_release)) return fresh;
  return seen;
}

uint32_t generation_of(ProcessPage& here) {
  const uint32_t seen = here.generation.load(std::memory_order_acquire);
  return seen != 0 ? seen : begin(here);
}

}  // namespace

void start() {
  if (page.load(std::memory_order_acquire) != nullptr) return;
  void* const memory =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  // Without MADV_WIPEONFORK (Linux < 4.14) the fork handler alone must do.
  madvise(memory, 4096, MADV_WIPEONFORK);
  auto* const fresh = static_cast<ProcessPage*>(memory);
  begin(*fresh);
  fresh->announced.store(1, std::memory_order_relaxed);
  ProcessPage* expected = nullptr;
  if (!page.compare_exchange_strong(expected, fresh, std::memory_order_release))
    munmap(memory, 4096);
}

uint32_t id() {
  ProcessPage& here = current_page();
  generation_of(here);
  return here.pid.load(std::memory_order_relaxed);
}

uint32_t thread_id() {
  const uint32_t now = generation_of(current_page());
  if (cached_in != now) {
    cached_thread = static_cast<uint32_t>(::syscall(SYS_gettid));
    cached_in = now;
  }
  return cached_thread;
}

uint32_t generation() { return generation_of(current_page()); }

uint32_t member() { return current_page().member.load(std::memory_order_relaxed); }

uint32_t set_member(uint32_t number) {
  std::atomic<uint32_t>& place = current_page().member;
  uint32_t seen = 0;
  if (number == 0) place.store(0, std::memory_order_relaxed);
  if (number == 0 || place.compare_exchange_strong(seen, number)) return number;
  return seen;
}

bool memory_is_borrowed() {
  ProcessPage& here = current_page();
  if (here.generation.load(std::memory_order_relaxed) == 0) return false;  // our own, new memory
  const uint32_t owner = here.pid.load(std::memory_order_relaxed);
  if (owner != bare_getpid()) return true;
  // The first process of a namespace may have made the first one of another.
  const ino_t space = owner == 1 ? here.space.load(std::memory_order_relaxed) : 0;
  return space != 0 && space != pid_namespace();
}

bool is_unannounced() {
  const ProcessPage* const present = page.load(std::memory_order_acquire);
  return present != nullptr && present->announced.load(std::memory_order_relaxed) == 0;
}

void after_fork_in_child() {
  ProcessPage& here = current_page();
  here.announced.store(1, std::memory_order_relaxed);
  here.member.store(0, std::memory_order_relaxed);
  here.generation.store(0, std::memory_order_relaxed);
  begin(here);
}

int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace gaiter::shim::process
