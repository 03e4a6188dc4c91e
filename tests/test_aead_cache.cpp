// Expanded keys under pressure: thousands of them, threads that want the same
// place, signal handlers that interrupt themselves, and fork children.
#include "engine/aead_cache.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <set>
#include <thread>

#include "tests/aead_fixture.h"

namespace gaiter::engine {
namespace {

// Many more keys than there are places, also in use by turns, forgotten, or
// mistakenly of one id.
void keeps_thousands_of_keys_apart(void**) {
  on_all_code([](Cipher cipher, BackEnd back_end) {
    const Nonce nonce = {};
    const Data additional(5), plain = random_data(48);
    std::vector<AeadKey> keys;
    std::vector<Data> sealed;
    for (int i = 0; i != 2500; ++i) {
      keys.push_back(random_key(cipher, back_end));
      if (i % 100 == 99) keys.back().id = keys[keys.size() - 2].id;
      sealed.push_back(reference(keys.back(), nonce, additional, plain));
    }
    for (int i = 0; i != 10000; ++i) {
      const size_t which = i < 2500 ? static_cast<size_t>(i) : roll(keys.size());
      if (roll(2) == 0) {
        assert_true(seal_flat(keys[which], nonce, additional, plain) == sealed[which]);
      } else {
        Data text = sealed[which];
        assert_true(open_flat(keys[which], nonce, additional, text));
        assert_memory_equal(text.data(), plain.data(), plain.size());
      }
      if (roll(10) == 0) aead_forget(keys[which]);
    }
    for (const AeadKey& key : keys) aead_forget(key);
  });
}

// Threads whose keys all belong in one place of the table: one has it, the
// others go without.
void serves_threads_that_collide(void**) {
  on_all_code([](Cipher cipher, BackEnd back_end) {
    const Nonce nonce = {};
    const Data additional(5), plain = random_data(2000);
    const uint64_t id = next_aead_key_id();
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i != 4; ++i) {
      AeadKey key = random_key(cipher, back_end);
      key.id = id + 1024 * (i / 2);
      threads.emplace_back([=, &wrong, right = reference(key, nonce, additional, plain)] {
        for (int round = 0; round != 300; ++round) {
          Data from = plain, out(right.size());
          const iovec piece = {from.data(), from.size()};
          IovCursor cursor(&piece, 1);
          aead_seal(key, nonce, additional, cursor, plain.size(), {}, out.data());
          wrong += out != right;
          wrong += !open_flat(key, nonce, additional, out);
          if (round % 64 == 0) aead_forget(key);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    assert_int_equal(wrong.load(), 0);
  });
}

struct Interruption {
  AeadKey key;
  Data plain, right;
  volatile int count, wrong;
};
Interruption interruption;

void seal_from_a_signal_handler(int) {
  uint8_t out[200 + aead_tag_length];
  const iovec piece = {interruption.plain.data(), interruption.plain.size()};
  IovCursor cursor(&piece, 1);
  aead_seal(interruption.key, {}, {}, cursor, interruption.plain.size(), {}, out);
  interruption.count = interruption.count + 1;
  if (std::memcmp(out, interruption.right.data(), interruption.right.size()) != 0) {
    interruption.wrong = interruption.wrong + 1;
  }
}

void serves_a_signal_handler_that_interrupts_itself(void**) {
  on_all_code([](Cipher cipher, BackEnd back_end) {
    Interruption& state = interruption;
    state = {random_key(cipher, back_end), random_data(200), {}, 0, 0};
    state.right = reference(state.key, {}, {}, state.plain);
    struct sigaction action {};
    action.sa_handler = seal_from_a_signal_handler;
    sigaction(SIGALRM, &action, nullptr);
    itimerval timer = {{0, 100}, {0, 100}};
    setitimer(ITIMER_REAL, &timer, nullptr);

    const Data large = random_data(16000);
    const Data right = reference(state.key, {}, {}, large);
    Data out(right.size());
    for (int i = 0; state.count < 50 && i != 200000; ++i) {
      const iovec piece = {const_cast<uint8_t*>(large.data()), large.size()};
      IovCursor cursor(&piece, 1);
      aead_seal(state.key, {}, {}, cursor, large.size(), {}, out.data());
      if (out != right) state.wrong = state.wrong + 1;
      if (i % 50 == 0) aead_forget(state.key);
    }
    timer = {};
    setitimer(ITIMER_REAL, &timer, nullptr);
    signal(SIGALRM, SIG_IGN);  // also one that is on its way
    assert_true(state.count >= 50);
    assert_int_equal(state.wrong, 0);
  });
}

void frees_in_a_child_what_the_parent_held(void**) {
  AeadKey key = random_key(Cipher::aes_256_gcm, BackEnd::openssl);
  KeySlot slot;
  assert_true(slot.try_acquire());
  slot.take_name(key);
  assert_true(slot.holds(key));
  AeadKey other = key;
  other.key[31] ^= 1;
  assert_false(slot.holds(other));
  assert_false(slot.try_acquire());

  const pid_t child = fork();
  if (child == 0) {
    if (slot.try_acquire()) _exit(1);
    aead_after_fork();
    // Free, but what lies there may be half written.
    if (!slot.try_acquire() || slot.holds(key)) _exit(2);
    if (slot.try_acquire()) _exit(3);
    slot.release();
    _exit(slot.try_acquire() ? 0 : 4);
  }
  int status;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  slot.release();
  assert_true(slot.try_acquire());
  assert_true(slot.holds(key));
}

void names_keys_apart_across_forks(void**) {
  constexpr size_t per_process = 1000, processes = 8;
  auto* ids =
      static_cast<uint64_t*>(mmap(nullptr, (processes + 1) * per_process * sizeof(uint64_t),
                                  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  assert_true(ids != MAP_FAILED);
  const auto take = [ids](size_t process) {
    for (size_t i = 0; i != per_process; ++i) ids[process * per_process + i] = next_aead_key_id();
  };
  for (size_t process = 0; process != processes; ++process) {
    if (const pid_t child = fork(); child == 0) {
      aead_after_fork();
      take(process);
      _exit(0);
    }
  }
  while (wait(nullptr) > 0) {
  }
  take(processes);
  const size_t count = (processes + 1) * per_process;
  const std::set<uint64_t> distinct(ids, ids + count);
  assert_int_equal(distinct.size(), count);
  assert_false(distinct.contains(0));
  munmap(ids, count * sizeof(uint64_t));
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(keeps_thousands_of_keys_apart),
      cmocka_unit_test(serves_threads_that_collide),
      cmocka_unit_test(serves_a_signal_handler_that_interrupts_itself),
      cmocka_unit_test(frees_in_a_child_what_the_parent_held),
      cmocka_unit_test(names_keys_apart_across_forks),
  };
  return cmocka_run_group_tests_name("aead cache", tests, nullptr, nullptr);
}
