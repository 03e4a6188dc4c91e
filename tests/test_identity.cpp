// Who is who, and who lives, across PID namespaces: ids mean nothing there.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <random>

#include "shim/arena.h"
#include "shim/family.h"
#include "shim/life.h"
#include "shim/lock.h"
#include "shim/process.h"

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;
using life::Life;

namespace {

// What the processes of a test tell each other.
struct Shared {
  Lock lock;
  std::atomic<int> stage{0};
  std::atomic<uint32_t> parent{0}, child{0}, parent_thread{0}, child_thread{0};
  std::atomic<uint64_t> parent_identity{0}, child_identity{0};
};

Shared* make_shared() {
  void* const memory =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(memory != MAP_FAILED);
  return new (memory) Shared;
}

bool reach(const std::atomic<int>& stage, int wanted) {
  for (int i = 0; i < 20'000 && stage.load() < wanted; ++i) usleep(1000);
  return stage.load() >= wanted;
}

// As the hooks fork: a member of the family, in a PID namespace of its own if `apart`.
template <class Life>
pid_t fork_member(bool apart, Life life) {
  const uint32_t member = family::expect_child();
  const long child = syscall(SYS_clone, (apart ? CLONE_NEWPID : 0) | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    process::after_fork_in_child();
    family::become_child();
    _exit(life());
  }
  if (child > 0) family::child_is(member, static_cast<int>(child));
  return static_cast<pid_t>(child);
}

int status_of(pid_t child) {
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Runs a test as the first process of a PID namespace, where its ids are those that its
// children have in theirs. Such a namespace is root's to make.
template <class Test>
void as_first_process(Test test) {
  const pid_t first = fork_member(true, [&] { return test(); });
  if (first < 0 && errno == EPERM) skip();
  assert_int_equal(status_of(first), 0);
}

// 0, or the line that failed.
#define REQUIRE(condition) \
  if (!(condition)) return __LINE__ % 250 + 1

void members_of_nested_namespaces_have_different_identities(void**) {
  as_first_process([] {
    Shared* const shared = make_shared();
    shared->parent_identity = process::identity();
    const pid_t child = fork_member(true, [=] {
      shared->child_identity = process::identity();
      shared->child_thread = process::thread_id();
      return 0;
    });
    REQUIRE(child > 0 && status_of(child) == 0);
    REQUIRE(process::thread_id() == 1 && shared->child_thread == 1);
    REQUIRE(static_cast<uint32_t>(shared->parent_identity) ==
            static_cast<uint32_t>(shared->child_identity));
    REQUIRE(shared->parent_identity != shared->child_identity);
    return 0;
  });
}

// A thread id that was noted in the parent is not the child's, whatever getpid(2) says.
void a_child_with_its_parents_pid_asks_for_its_thread_id_anew(void**) {
  as_first_process([] {
    Shared* const shared = make_shared();
    pthread_t thread;
    static Shared* place;
    place = shared;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          place->parent_thread = process::thread_id();
          const pid_t child = fork_member(true, [] {
            place->child_thread = process::thread_id();
            return 0;
          });
          status_of(child);
          return nullptr;
        },
        nullptr);
    pthread_join(thread, nullptr);
    REQUIRE(shared->parent_thread != 1 && shared->child_thread == 1);
    return 0;
  });
}

// Both owners have process and thread id 1, each in its own namespace.
void a_living_holder_in_an_inner_namespace_keeps_its_lock(void**) {
  as_first_process([] {
    Shared* const shared = make_shared();
    const pid_t child = fork_member(true, [=] {
      REQUIRE(shared->lock.acquire(true) == LockResult::acquired);
      shared->lock.park();
      shared->stage = 1;
      REQUIRE(reach(shared->stage, 2));
      REQUIRE(shared->lock.unpark() && shared->lock.is_mine());
      shared->stage = 3;  // at work, and ends so
      return 0;
    });
    REQUIRE(reach(shared->stage, 1));
    REQUIRE(!shared->lock.is_mine());
    REQUIRE(shared->lock.acquire(false) == LockResult::busy);
    shared->stage = 2;
    REQUIRE(status_of(child) == 0);
    REQUIRE(shared->lock.acquire(true) == LockResult::acquired_from_dead);
    return 0;
  });
}

void a_zombie_in_an_inner_namespace_holds_nothing(void**) {
  as_first_process([] {
    Shared* const shared = make_shared();
    const pid_t child = fork_member(true, [=] {
      REQUIRE(shared->lock.acquire(true) == LockResult::acquired);
      shared->lock.park();
      return 0;
    });
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
    REQUIRE(shared->lock.acquire(false) == LockResult::acquired);
    REQUIRE(status_of(child) == 0);
    return 0;
  });
}

// Nothing that a child sees tells of a parent outside of its namespace.
void a_holder_of_whom_nothing_can_be_told_keeps_its_lock_and_is_not_waited_for_for_ever(void**) {
  as_first_process([] {
    Shared* const shared = make_shared();
    REQUIRE(shared->lock.acquire(true) == LockResult::acquired);
    const pid_t child = fork_member(true, [=] {
      Lock::patience = 200'000'000;
      REQUIRE(!shared->lock.is_mine());
      const int64_t began = process::now();
      REQUIRE(shared->lock.acquire(true) == LockResult::lost);
      REQUIRE(process::now() - began >= 150'000'000);
      shared->stage = 1;
      REQUIRE(reach(shared->stage, 2));  // now it is asleep
      REQUIRE(shared->lock.acquire(false) == LockResult::busy);
      LockResult last = LockResult::busy;
      for (int i = 0; i < 20'000 && last == LockResult::busy; ++i) {
        last = shared->lock.acquire(false);
        usleep(1000);
      }
      REQUIRE(last == LockResult::lost);
      REQUIRE(shared->lock.acquire_as_call(INT64_MAX, nullptr) == LockResult::lost);
      return 0;
    });
    REQUIRE(reach(shared->stage, 1));
    REQUIRE(shared->lock.is_mine());
    shared->lock.park();
    shared->stage = 2;
    REQUIRE(status_of(child) == 0);
    REQUIRE(shared->lock.unpark() && shared->lock.is_mine());
    shared->lock.release(LockResult::acquired);
    REQUIRE(shared->lock.acquire(false) == LockResult::acquired);
    return 0;
  });
}

// A child that unshare(2) and not clone(2) put there, and that no fork handler saw.
void an_unannounced_child_takes_a_number_of_its_own(void**) {
  as_first_process([] {
    const uint32_t own = family::self();
    const uint64_t identity = process::identity();
    Shared* const shared = make_shared();
    const long child = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
      shared->child_identity = process::identity();
      shared->child = family::self();
      _exit(0);
    }
    REQUIRE(child > 0 && status_of(static_cast<pid_t>(child)) == 0);
    REQUIRE(shared->child_identity != identity);
    REQUIRE(shared->child != own && shared->child != 0);
    return 0;
  });
}

void siblings_judge_each_other_where_they_share_a_namespace(void**) {
  Shared* const shared = make_shared();
  const pid_t first = fork_member(false, [=] {
    shared->child = family::self();
    shared->stage = 1;
    return reach(shared->stage, 2) ? 0 : 1;
  });
  assert_true(reach(shared->stage, 1));
  const pid_t second = fork_member(false, [=] {
    REQUIRE(family::look(shared->child, static_cast<uint32_t>(first)) == Life::alive);
    REQUIRE(!family::is_gone(shared->child));
    return 0;
  });
  assert_int_equal(status_of(second), 0);
  shared->stage = 2;
  assert_int_equal(status_of(first), 0);
  assert_true(family::is_gone(shared->child));
}

// Who was given a number and does not exist yet, or whose place another one has, is not dead.
void what_is_not_known_is_not_dead(void**) {
  const uint32_t member = family::expect_child();
  assert_false(family::is_gone(member));
  assert_int_equal(static_cast<int>(family::look(member, 77)), static_cast<int>(Life::unknown));
  assert_int_equal(static_cast<int>(family::look(member + 100'000, 77)),
                   static_cast<int>(Life::unknown));
  assert_false(family::is_gone(member + 100'000));
}

// Of another user's process that may not be looked into, proc(5) tells.
void another_users_zombie_is_dead(void**) {
  if (geteuid() != 0) skip();
  Shared* const shared = make_shared();
  const pid_t zombie = fork_member(false, [=] { return 0; });
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT);
  const pid_t other = fork_member(false, [=] {
    const pid_t alive = getppid();
    if (setresuid(65534, 65534, 65534) != 0) return 250;
    REQUIRE(life::look(static_cast<uint32_t>(zombie)) == Life::dead);
    REQUIRE(life::look(static_cast<uint32_t>(alive)) == Life::alive);
    shared->stage = 1;
    return 0;
  });
  assert_int_equal(status_of(other), 0);
  status_of(zombie);
}

// The child of a vfork(2) that makes a namespace as well: its parent's memory is not its own,
// though both are process 1.
void a_borrower_with_its_parents_pid_knows_that_it_borrows(void**) {
  as_first_process([] {
    REQUIRE(!process::memory_is_borrowed());
    static std::atomic<int> seen;
    alignas(16) static uint8_t stack[65'536];
    const int child = clone(
        [](void*) {
          seen = getpid() == 1 && process::memory_is_borrowed() ? 1 : 2;
          return 0;
        },
        stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_NEWPID | SIGCHLD, nullptr);
    REQUIRE(child > 0 && status_of(child) == 0);
    REQUIRE(seen == 1 && !process::memory_is_borrowed());
    return 0;
  });
}

// What members say of themselves and each other lies in memory that all of them write.
void lies_about_members_are_survived(void**) {
  auto* const bytes = static_cast<uint8_t*>(arena::family());
  std::minstd_rand random(1);
  for (int round = 0; round < 50; ++round) {
    for (size_t i = 0; i < arena::family_size; ++i) bytes[i] = static_cast<uint8_t>(random());
    for (uint32_t member = 0; member < 50; ++member) {
      family::look(static_cast<uint32_t>(random()), 1 + member);
      family::is_gone(static_cast<uint32_t>(random()));
    }
    const pid_t child = fork_member(false, [] { return family::self() != 0 ? 0 : 1; });
    assert_int_equal(status_of(child), 0);
  }
}

}  // namespace

int main() {
  process::start();
  family::self();
  const CMUnitTest tests[] = {
      cmocka_unit_test(members_of_nested_namespaces_have_different_identities),
      cmocka_unit_test(a_child_with_its_parents_pid_asks_for_its_thread_id_anew),
      cmocka_unit_test(a_living_holder_in_an_inner_namespace_keeps_its_lock),
      cmocka_unit_test(a_zombie_in_an_inner_namespace_holds_nothing),
      cmocka_unit_test(
          a_holder_of_whom_nothing_can_be_told_keeps_its_lock_and_is_not_waited_for_for_ever),
      cmocka_unit_test(an_unannounced_child_takes_a_number_of_its_own),
      cmocka_unit_test(siblings_judge_each_other_where_they_share_a_namespace),
      cmocka_unit_test(what_is_not_known_is_not_dead),
      cmocka_unit_test(another_users_zombie_is_dead),
      cmocka_unit_test(a_borrower_with_its_parents_pid_knows_that_it_borrows),
      cmocka_unit_test(lies_about_members_are_survived),  // last: nothing is true afterwards
  };
  return cmocka_run_group_tests_name("identity", tests, nullptr, nullptr);
}
