// The shared arena's blocks, and the table from descriptor numbers to slots.
#include "shim/fd_table.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "shim/arena.h"
#include "shim/connection.h"
#include "shim/process.h"

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;

namespace {

Connection* fresh() { return Connection::make_watched(); }

void blocks_are_distinct_and_come_back(void**) {
  std::set<void*> seen;
  for (int i = 0; i < 100; ++i) {
    void* const block = arena::allocate(arena::Block::batch);
    assert_non_null(block);
    std::memset(block, i, arena::batch_size);
    assert_true(seen.insert(block).second);
  }
  for (void* block : seen) arena::release(arena::Block::batch, block);
  for (int i = 0; i < 100; ++i) {
    void* const block = arena::allocate(arena::Block::batch);
    assert_true(seen.contains(block));
  }
  for (void* block : seen) arena::release(arena::Block::batch, block);
}

void threads_never_get_the_same_block(void**) {
  std::vector<std::thread> threads;
  std::atomic<int> clashes = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&clashes, t] {
      for (int i = 0; i < 20'000; ++i) {
        auto* const block = static_cast<std::atomic<int>*>(arena::allocate(arena::Block::batch));
        block[1].store(t);
        if (block[1].load() != t) ++clashes;
        arena::release(arena::Block::batch, block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  assert_int_equal(clashes.load(), 0);
}

void numbers_lead_back_to_their_slots(void**) {
  std::set<void*> slots;
  for (int i = 0; i < 1000; ++i) {
    void* const slot = arena::make_slot();
    assert_non_null(slot);
    assert_true(slots.insert(slot).second);
    const uint32_t number = arena::number_of(slot);
    assert_true(number != 0 && number < 1u << 30);
    assert_ptr_equal(arena::at(number), slot);
    assert_ptr_equal(arena::resolve(arena::reference_to(slot)), slot);
    std::memset(slot, i, arena::slot_size);
    std::memset(arena::record_of(slot), i, arena::record_size);
  }
  int i = 0;
  for (void* const slot : slots) {
    // Nobody's memory is another's.
    const auto* const bytes = static_cast<const uint8_t*>(slot);
    assert_int_equal(bytes[0], bytes[arena::slot_size - 1]);
    arena::outbox_of(slot)[arena::bulk_size - 1] = arena::inbox_of(slot)[0] = 1;
    if (++i % 100 == 0) assert_int_equal(arena::outbox_of(slot)[0], 0);
    std::memset(arena::record_of(slot), 0, arena::record_size);
    arena::end_slot(slot);
  }
}

void a_name_of_what_is_not_here_leads_nowhere(void**) {
  void* const slot = arena::make_slot();
  const arena::Reference name = arena::reference_to(slot);
  const uint32_t numbers[] = {0, 1, name.number | 7, name.number ^ 0x3fff'0000, UINT32_MAX};
  for (const uint32_t number : numbers) assert_null(arena::resolve({name.segment, number}));
  for (const uint64_t segment : {uint64_t{0}, name.segment + 1, UINT64_MAX})
    assert_null(arena::resolve({segment, name.number}));
  arena::end_slot(slot);
}

bool is_mapped(const void* address) {
  unsigned char residence;
  const auto page = reinterpret_cast<uintptr_t>(address) & ~uintptr_t{4095};
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) std::abort();
  const bool readable = write(pipe_ends[1], reinterpret_cast<const void*>(page), 1) == 1;
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  return readable && mincore(reinterpret_cast<void*>(page), 1, &residence) == 0;
}

// What is made after a fork lies where the child has nothing, and goes when it is over.
void a_fork_ends_what_is_shared(void**) {
  Connection* const before = fresh();
  assert_true(fd_table::publish(20, *before));
  int told[2];
  assert_int_equal(pipe(told), 0);
  fd_table::freeze_for_fork();
  const pid_t child = fork();
  if (child == 0) {
    process::after_fork_in_child();
    fd_table::thaw_in_child();
    const void* later[2];
    if (read(told[0], later, sizeof later) != sizeof later) _exit(1);
    _exit(!is_mapped(before) || is_mapped(later[0]) || is_mapped(later[1]) ? 2 : 0);
  }
  fd_table::thaw_in_parent();
  Connection* const after = fresh();
  assert_true(fd_table::publish(21, *after));
  assert_true(is_mapped(after));
  const void* const later[2] = {after, arena::outbox_of(after)};
  assert_int_equal(write(told[1], static_cast<const void*>(later), sizeof later), sizeof later);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_true(fd_table::forget(20));
  assert_false(is_mapped(before));
  assert_true(fd_table::forget(21));
}

// A connection that was made but not entered when the fork came moves out of what it shares.
void a_fork_before_the_entry_shares_nothing(void**) {
  Connection* const made = fresh();
  fd_table::freeze_for_fork();
  fd_table::thaw_in_parent();
  assert_true(fd_table::publish(22, *made));
  const SlotRef found = fd_table::find(22);
  assert_true(found.get() != made);
  assert_true(arena::is_open(found.get()));
  assert_true(fd_table::forget(22));
}

void who_gives_up_rights_keeps_only_what_it_holds(void**) {
  std::vector<Connection*> made;
  for (int i = 0; i < 40; ++i) {
    made.push_back(fresh());
    assert_true(fd_table::publish(100 + i, *made.back()));
  }
  fd_table::freeze_for_fork();
  fd_table::thaw_in_parent();
  for (int i = 1; i < 40; ++i) assert_true(fd_table::forget(100 + i));
  arena::give_up_rest();
  assert_true(is_mapped(made.front()));
  assert_true(is_mapped(arena::inbox_of(made.front())));
  assert_false(is_mapped(made.back()));
  assert_false(is_mapped(arena::inbox_of(made[1])));
  assert_true(fd_table::forget(100));
}

void publish_and_withdraw(int fd) {
  Connection* const connection = fresh();
  assert_false(fd_table::has(fd));
  assert_true(fd_table::publish(fd, *connection));
  assert_true(fd_table::has(fd));
  assert_ptr_equal(fd_table::find(fd).get(), connection);
  assert_int_equal(descriptors(*connection), 1);
  assert_ptr_equal(fd_table::withdraw(fd), connection);
  fd_table::settle(fd);
  assert_false(fd_table::has(fd));
  assert_null(fd_table::find(fd).get());
  leave(*connection, Slot::descriptor);
}

void an_entry_comes_and_goes(void**) {
  for (const int fd : {0, 7, 65'535, 65'536, 1'000'000, (1 << 30) - 1}) publish_and_withdraw(fd);
}

void impossible_numbers_have_no_entry(void**) {
  for (const int fd : {-1, INT32_MIN, 1 << 30, INT32_MAX}) {
    assert_false(fd_table::has(fd));
    assert_null(fd_table::withdraw(fd));
  }
}

void an_operation_keeps_a_slot_whose_descriptor_is_gone(void**) {
  Connection* const connection = fresh();
  assert_true(fd_table::publish(9, *connection));
  {
    const SlotRef hold = fd_table::find(9);
    leave(*fd_table::withdraw(9), Slot::descriptor);
    fd_table::settle(9);
    assert_false(enter(*connection));  // nobody new comes in
    assert_int_equal(connection->references().load(), Slot::operation);
  }
  assert_int_equal(connection->references().load(), 0);
}

void look_ups_race_with_close_and_reuse(void**) {
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      const SlotRef slot = fd_table::find(11);
      if (slot && slot.get()->kind() != Kind::connection) std::abort();
    }
  });
  for (int i = 0; i < 50'000; ++i) {
    Connection* const connection = fresh();
    assert_true(fd_table::publish(11, *connection));
    leave(*fd_table::withdraw(11), Slot::descriptor);
    fd_table::settle(11);
  }
  done = true;
  reader.join();
}

void fork_counts_each_descriptor_once_more(void**) {
  Connection* const connection = fresh();
  assert_true(fd_table::publish(12, *connection));
  fd_table::freeze_for_fork();
  const pid_t child = fork();
  if (child == 0) {
    process::after_fork_in_child();
    fd_table::thaw_in_child();
    leave(*fd_table::withdraw(12), Slot::descriptor);
    _exit(0);
  }
  fd_table::thaw_in_parent();
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(descriptors(*connection), 1);
  leave(*fd_table::withdraw(12), Slot::descriptor);
  fd_table::settle(12);
  assert_int_equal(connection->references().load(), 0);
}

// A child that is killed, or runs another program, cannot give anything back.
void nobody_waits_for_the_gone(void**) {
  for (const bool executes : {false, true}) {
    Connection* const connection = fresh();
    assert_true(fd_table::publish(13, *connection));
    fd_table::freeze_for_fork();
    int ready[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      process::after_fork_in_child();
      fd_table::thaw_in_child();
      if (executes) execlp("sleep", "sleep", "60", nullptr);
      const ssize_t ignored = write(ready[1], "r", 1);
      pause();
      _exit(ignored != 1);
    }
    fd_table::thaw_in_parent();
    close(ready[1]);
    char token;
    const ssize_t got = read(ready[0], &token, 1);  // its end comes with the exec
    assert_int_equal(got, executes ? 0 : 1);
    close(ready[0]);
    if (!executes) {
      assert_false(is_last_descriptor(*connection));
      kill(child, SIGKILL);
      siginfo_t info;
      waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
    }
    assert_true(is_last_descriptor(*connection));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    leave(*fd_table::withdraw(13), Slot::descriptor);
    fd_table::settle(13);
  }
}

void a_failed_fork_is_undone(void**) {
  Connection* const connection = fresh();
  assert_true(fd_table::publish(14, *connection));
  fd_table::freeze_for_fork();
  assert_int_equal(descriptors(*connection), 2);
  fd_table::thaw_in_parent();
  Connection* const later = fresh();
  assert_true(fd_table::publish(15, *later));
  fd_table::undo_fork();
  assert_int_equal(descriptors(*connection), 1);
  assert_int_equal(descriptors(*later), 1);
  for (const int fd : {14, 15}) {
    leave(*fd_table::withdraw(fd), Slot::descriptor);
    fd_table::settle(fd);
  }
}

void a_change_happens_or_does_not(void**) {
  Connection* const before = fresh();
  Connection* const next = fresh();
  assert_true(fd_table::publish(16, *before));
  assert_true(fd_table::publish(17, *next));
  {
    fd_table::Change change(16, next);
    assert_true(fd_table::has(16));
    // A signal handler that interrupted the change meets a wall.
    const SlotRef met = fd_table::find(16);
    assert_true(met.get() != before && met.get() != next);
    change.undo();
  }
  assert_true(fd_table::leads_to(16, *before));
  assert_int_equal(descriptors(*next), 1);
  {
    fd_table::Change change(16, next);
    change.done(true);
  }
  assert_true(fd_table::leads_to(16, *next));
  assert_true(fd_table::close_on_exec(16) && !fd_table::close_on_exec(17));
  assert_int_equal(descriptors(*next), 2);
  { fd_table::Change change(16); }
  assert_false(fd_table::has(16));
  { fd_table::Change change(17); }
  assert_int_equal(next->references().load(), 0);
}

}  // namespace

int main() {
  process::start();
  const CMUnitTest tests[] = {
      cmocka_unit_test(blocks_are_distinct_and_come_back),
      cmocka_unit_test(threads_never_get_the_same_block),
      cmocka_unit_test(numbers_lead_back_to_their_slots),
      cmocka_unit_test(a_name_of_what_is_not_here_leads_nowhere),
      cmocka_unit_test(a_fork_ends_what_is_shared),
      cmocka_unit_test(a_fork_before_the_entry_shares_nothing),
      cmocka_unit_test(who_gives_up_rights_keeps_only_what_it_holds),
      cmocka_unit_test(an_entry_comes_and_goes),
      cmocka_unit_test(impossible_numbers_have_no_entry),
      cmocka_unit_test(an_operation_keeps_a_slot_whose_descriptor_is_gone),
      cmocka_unit_test(look_ups_race_with_close_and_reuse),
      cmocka_unit_test(fork_counts_each_descriptor_once_more),
      cmocka_unit_test(nobody_waits_for_the_gone),
      cmocka_unit_test(a_failed_fork_is_undone),
      cmocka_unit_test(a_change_happens_or_does_not),
  };
  return cmocka_run_group_tests_name("fd_table", tests, nullptr, nullptr);
}
