// OpenSSL's memory: whole, aligned, wiped when freed, in no core file.
#include "keyring/openssl_memory.h"

#include <openssl/crypto.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csetjmp>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include <cmocka.h>
}

namespace {

struct Block {
  uint8_t* memory;
  size_t size;
  uint8_t mark;
};

Block make(size_t size, uint8_t mark) {
  auto* const memory = static_cast<uint8_t*>(OPENSSL_malloc(size));
  std::memset(memory, mark, size);
  return {memory, size, mark};
}

bool is_whole(const Block& block, size_t size) {
  return std::all_of(block.memory, block.memory + std::min(size, block.size),
                     [&](uint8_t byte) { return byte == block.mark; });
}

// Of all sizes, most of them small, as OpenSSL's are.
size_t some_size(std::mt19937& random) {
  const auto bits = static_cast<unsigned>(random() % 18);
  return (size_t{1} << bits) + random() % (size_t{1} << bits);
}

// False if a block was not what it should be.
bool work(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Block> blocks;
  bool good = true;
  for (int i = 0; i < 20'000; ++i) {
    const size_t which = blocks.empty() ? 0 : random() % blocks.size();
    if (blocks.size() < 100 && random() % 2 == 0) {
      blocks.push_back(make(some_size(random), static_cast<uint8_t>(random())));
      good &= reinterpret_cast<uintptr_t>(blocks.back().memory) % 16 == 0;
    } else if (!blocks.empty() && random() % 3 == 0) {
      Block& block = blocks[which];
      const size_t size = some_size(random);
      block.memory = static_cast<uint8_t*>(OPENSSL_realloc(block.memory, size));
      good &= is_whole(block, size);
      block.size = size;
      std::memset(block.memory, block.mark, size);
    } else if (!blocks.empty()) {
      good &= is_whole(blocks[which], blocks[which].size);
      OPENSSL_free(blocks[which].memory);
      blocks[which] = blocks.back();
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) {
    good &= is_whole(block, block.size);
    OPENSSL_free(block.memory);
  }
  return good;
}

void blocks_stay_what_they_are(void**) { assert_true(work(1)); }

void threads_do_not_share_blocks(void**) {
  bool good[4] = {};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) threads.emplace_back([&, t] { good[t] = work(t); });
  for (std::thread& thread : threads) thread.join();
  for (const bool each : good) assert_true(each);
}

void a_child_forked_amid_the_work_of_others_goes_on(void**) {
  std::thread other([] { work(7); });
  for (int i = 0; i < 10; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);
      _exit(work(8) ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
  }
  other.join();
}

void what_is_freed_is_wiped(void**) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip();  // what is freed may not be looked at
#else
  static constexpr size_t link = sizeof(void*);  // to the next free block
  for (const size_t size : {24, 100, 1000, 16'500, 60'000}) {
    const Block block = make(size, 0xa5);
    const volatile uint8_t* const seen = block.memory;
    OPENSSL_free(block.memory);
    for (size_t i = link; i < size; ++i) assert_int_equal(seen[i], 0);
  }
  // What moves leaves nothing behind; what shrinks neither.
  const Block block = make(1000, 0xa5);
  const volatile uint8_t* const seen = block.memory;
  assert_ptr_equal(OPENSSL_realloc(block.memory, 900), block.memory);
  for (size_t i = 900; i < 1000; ++i) assert_int_equal(seen[i], 0);
  void* const moved = OPENSSL_realloc(block.memory, 5000);
  assert_ptr_not_equal(moved, block.memory);
  for (size_t i = link; i < 1000; ++i) assert_int_equal(seen[i], 0);
  OPENSSL_free(moved);
#endif
}

// proc(5), smaps: "dd".
[[maybe_unused]] bool is_dumped(const void* memory) {
  std::ifstream maps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long first = 0, last = 0;
    if (sscanf(line.c_str(), "%lx-%lx ", &first, &last) == 2 && line.find('-') < line.find(' ')) {
      const auto at = reinterpret_cast<uintptr_t>(memory);
      here = first <= at && at < last;
    } else if (here && line.starts_with("VmFlags:")) {
      return !line.contains(" dd");
    }
  }
  return true;
}

void no_core_file_has_it(void**) {
#ifdef __SANITIZE_ADDRESS__
  skip();  // it lies in the sanitizer's heap
#else
  for (const size_t size : {24, 16'500, 200'000}) {
    void* const memory = OPENSSL_malloc(size);
    assert_false(is_dumped(memory));
    OPENSSL_free(memory);
  }
  struct Held : gaiter::InOpenSslMemory {
    uint8_t secret[64] = {};
  };
  const auto held = std::make_unique<Held>();
  assert_false(is_dumped(held.get()));
#endif
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(blocks_stay_what_they_are),
      cmocka_unit_test(threads_do_not_share_blocks),
      cmocka_unit_test(a_child_forked_amid_the_work_of_others_goes_on),
      cmocka_unit_test(what_is_freed_is_wiped),
      cmocka_unit_test(no_core_file_has_it),
  };
  return cmocka_run_group_tests_name("openssl memory", tests, nullptr, nullptr);
}
