// The lock that connections lie under: owners, sleepers, the dead.
#include "shim/lock.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include "shim/process.h"

extern "C" {
#include <cmocka.h>
}

using gaiter::shim::Lock;
using gaiter::shim::LockGuard;
using gaiter::shim::LockResult;
using gaiter::shim::Parked;

namespace {

Lock* shared_lock() {
  void* const memory =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(memory != MAP_FAILED);
  return new (memory) Lock;
}

// As a signal handler does it: in a frame of its own, below the owner's.
[[gnu::noinline]] LockResult try_from_below(Lock& lock) {
  const LockGuard guard(lock, true);
  return guard.result();
}

void one_thread_at_a_time(void**) {
  Lock lock;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20'000; ++n) {
        const LockGuard guard(lock, true);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  assert_int_equal(count, 80'000);
}

void a_thread_at_work_is_told_of_itself(void**) {
  Lock lock;
  const LockGuard outer(lock, true);
  assert_true(outer.held());
  assert_int_equal(try_from_below(lock), LockResult::reentered);
}

// A signal handler meets its own thread asleep: the system call may have done its
// work already, and nobody could tell it what came in between.
void a_sleepers_own_handler_is_turned_away(void**) {
  Lock lock;
  const LockGuard outer(lock, true);
  const Parked parked(lock);
  for (int i = 0; i < 2; ++i) {
    assert_int_equal(try_from_below(lock), LockResult::reentered);
    assert_true(lock.is_mine());
  }
}

std::jmp_buf way_out;

[[gnu::noinline]] void jump_out_of(Lock& lock, bool parked) {
  const LockGuard guard(lock, true);
  assert_true(guard.held());
  if (parked) lock.park();
  std::longjmp(way_out, 1);
}

[[gnu::noinline]] LockResult after_a_jump(Lock& lock, bool parked) {
  if (setjmp(way_out) == 0) jump_out_of(lock, parked);
  const LockGuard guard(lock, true);
  return guard.result();
}

void who_jumped_out_may_come_again(void**) {
  Lock lock;
  assert_int_equal(after_a_jump(lock, true), LockResult::acquired);
  assert_int_equal(after_a_jump(lock, true), LockResult::acquired);
  assert_int_equal(after_a_jump(lock, false), LockResult::acquired_from_dead);
  std::thread([&] { assert_true(LockGuard(lock, false).held()); }).join();
}

// Nobody has waited for the child yet: to kill(2) it is still there.
void a_zombie_holds_nothing(void**) {
  Lock* const lock = shared_lock();
  const pid_t child = fork();
  if (child == 0) {
    gaiter::shim::process::after_fork_in_child();
    lock->acquire(true);
    lock->park();
    _exit(0);
  }
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  {
    const LockGuard guard(*lock, false);
    assert_int_equal(guard.result(), LockResult::acquired);
  }
  waitpid(child, nullptr, 0);
}

void others_do_not_wait_for_a_sleeper_unless_they_want_to(void**) {
  Lock lock;
  LockResult impatient = LockResult::acquired;
  LockResult patient = LockResult::busy;
  std::thread waiter;
  {
    const LockGuard outer(lock, true);
    const Parked parked(lock);
    std::thread([&] {
      const LockGuard guard(lock, false);
      impatient = guard.result();
    }).join();
    waiter = std::thread([&] {
      const LockGuard guard(lock, true);
      patient = guard.result();
    });
  }
  waiter.join();
  assert_int_equal(impatient, LockResult::busy);
  assert_int_equal(patient, LockResult::acquired);
}

// A child takes the lock in shared memory and dies; the parent must not wait.
LockResult after_death(bool parked) {
  Lock* const lock = shared_lock();
  const pid_t child = fork();
  if (child == 0) {
    gaiter::shim::process::after_fork_in_child();
    lock->acquire(true);
    if (parked) lock->park();
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  const LockGuard guard(*lock, true);
  return guard.result();
}

void the_dead_hold_nothing(void**) {
  assert_int_equal(after_death(false), LockResult::acquired_from_dead);
}

void who_died_asleep_left_all_in_order(void**) {
  assert_int_equal(after_death(true), LockResult::acquired);
}

void processes_exclude_each_other(void**) {
  struct Shared {
    Lock lock;
    int count = 0;
  };
  void* const memory =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* const shared = new (memory) Shared;
  const auto work = [&] {
    for (int n = 0; n < 20'000; ++n) {
      const LockGuard guard(shared->lock, true);
      ++shared->count;
    }
  };
  const pid_t child = fork();
  if (child == 0) {
    gaiter::shim::process::after_fork_in_child();
    work();
    _exit(0);
  }
  work();
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(shared->count, 40'000);
}

Lock* stormed = nullptr;
std::atomic<int> handled = 0, surprises = 0;

void on_storm(int) {
  const LockResult got = try_from_below(*stormed);
  if (got != LockResult::acquired && got != LockResult::reentered) ++surprises;
  ++handled;
}

// At whatever instruction a handler runs, it takes the lock or is told that it is taken here.
void a_storm_of_signals_finds_no_gap(void**) {
  static Lock lock;
  stormed = &lock;
  struct sigaction action {};
  action.sa_handler = on_storm;
  sigaction(SIGUSR1, &action, nullptr);
  const pthread_t here = pthread_self();
  std::atomic<bool> stop = false;
  std::thread storm([&] {
    while (!stop) pthread_kill(here, SIGUSR1);
  });
  const int64_t limit = gaiter::shim::process::now() + 20'000'000'000;
  while (handled < 2000 && gaiter::shim::process::now() < limit) {
    const LockGuard guard(lock, true);
    if (!guard.held()) ++surprises;
  }
  stop = true;
  storm.join();
  signal(SIGUSR1, SIG_IGN);
  assert_int_equal(surprises.load(), 0);
  assert_true(handled > 0);
}

std::atomic<uint64_t>& word_of(Lock& lock) {
  return *reinterpret_cast<std::atomic<uint64_t>*>(&lock);
}

// Who shares the memory writes what he likes: it costs the others the lock, and no more.
void a_word_that_lies_is_believed_by_nobody(void**) {
  static Lock lock;  // not where one lay that this thread has left by a longjmp
  Lock::patience = 100'000'000;
  word_of(lock) = gaiter::shim::process::thread_id();  // "you have it"
  assert_int_equal(try_from_below(lock), LockResult::lost);
  word_of(lock) = uint64_t{77} << 32 | 4;  // a member that nobody knows, at work
  assert_int_equal(try_from_below(lock), LockResult::lost);
  word_of(lock) = uint64_t{77} << 32 | 0x4000'0000 | 4;  // and asleep
  assert_int_equal(try_from_below(lock), LockResult::lost);
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  word_of(lock) = static_cast<uint64_t>(child);  // a living process, at work
  assert_int_equal(try_from_below(lock), LockResult::lost);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  Lock::patience = 10'000'000'000;
}

void who_is_robbed_in_his_sleep_is_told(void**) {
  Lock lock;
  assert_int_equal(lock.acquire(true), LockResult::acquired);
  lock.park();
  word_of(lock) = uint64_t{77} << 32 | 4;
  assert_false(lock.unpark());
  assert_false(lock.is_mine());
  lock.release(LockResult::acquired);  // which is not ours to give back
  assert_int_equal(word_of(lock).load(), uint64_t{77} << 32 | 4);
}

void a_word_that_changes_all_the_time_holds_nobody_up(void**) {
  Lock lock;
  Lock::patience = 20'000'000;
  std::atomic<bool> stop = false;
  std::thread liar([&] {
    std::minstd_rand random(1);
    while (!stop) word_of(lock) = uint64_t{random() % 8} << 32 | (random() & 0xc000'000f);
  });
  for (int i = 0; i < 100; ++i) {
    const LockResult got = lock.acquire(i % 2 == 0);
    lock.park();
    lock.unpark();
    lock.release(got);
  }
  stop = true;
  liar.join();
  Lock::patience = 10'000'000'000;
}

}  // namespace

int main() {
  gaiter::shim::process::start();
  const CMUnitTest tests[] = {
      cmocka_unit_test(one_thread_at_a_time),
      cmocka_unit_test(a_thread_at_work_is_told_of_itself),
      cmocka_unit_test(a_sleepers_own_handler_is_turned_away),
      cmocka_unit_test(who_jumped_out_may_come_again),
      cmocka_unit_test(a_zombie_holds_nothing),
      cmocka_unit_test(others_do_not_wait_for_a_sleeper_unless_they_want_to),
      cmocka_unit_test(the_dead_hold_nothing),
      cmocka_unit_test(who_died_asleep_left_all_in_order),
      cmocka_unit_test(processes_exclude_each_other),
      cmocka_unit_test(a_storm_of_signals_finds_no_gap),
      cmocka_unit_test(a_word_that_lies_is_believed_by_nobody),
      cmocka_unit_test(who_is_robbed_in_his_sleep_is_told),
      cmocka_unit_test(a_word_that_changes_all_the_time_holds_nobody_up),
  };
  return cmocka_run_group_tests_name("lock", tests, nullptr, nullptr);
}
