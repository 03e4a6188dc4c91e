#include "shim/travels.h"

#include <sys/mman.h>

#include <atomic>
#include <cstddef>

namespace gaiter::shim::travels {

namespace {

// One word a socket, so that each change is one exchange: its cookie, how often it was passed,
// and how often it arrived.
using Word = uint64_t;
constexpr Word most = 255;
constexpr int passed_shift = 8;
constexpr int cookie_shift = 16;
constexpr size_t places = 4096 / sizeof(Word);
constexpr size_t neighbours = 4;  // where a cookie's entry may be

constinit std::atomic<Word>* page = nullptr;

constexpr Word cookie_of(Word word) { return word >> cookie_shift; }
constexpr Word passed_of(Word word) { return word >> passed_shift & most; }
constexpr Word arrived_of(Word word) { return word & most; }
constexpr Word word_of(Word cookie, Word passed, Word arrived) {
  return cookie << cookie_shift | passed << passed_shift | arrived;
}

// The kernel counts cookies up from 1.
bool is_countable(uint64_t cookie) {
  return page != nullptr && cookie != 0 && cookie >> (64 - cookie_shift) == 0;
}

std::atomic<Word>& place(uint64_t cookie, size_t neighbour) {
  return page[(cookie + neighbour) % places];
}

// The entry of `cookie`; nullptr if it has none.
std::atomic<Word>* find(uint64_t cookie) {
  for (size_t i = 0; is_countable(cookie) && i < neighbours; ++i) {
    if (cookie_of(place(cookie, i).load()) == cookie) return &place(cookie, i);
  }
  return nullptr;
}

// change(word) gives the new one.
template <class Change>
void update(std::atomic<Word>& entry, uint64_t cookie, Change change) {
  Word seen = entry.load();
  // Pushed out meanwhile: then nothing is known of it.
  while (cookie_of(seen) == cookie && !entry.compare_exchange_weak(seen, change(seen))) {
  }
}

void begin(uint64_t cookie, Word passed) {
  if (!is_countable(cookie)) return;
  const Word fresh = word_of(cookie, passed, 0);
  for (size_t i = 0; i < neighbours; ++i) {
    Word empty = 0;
    if (place(cookie, i).compare_exchange_strong(empty, fresh)) return;
  }
  place(cookie, 0).store(fresh);
}

// A count that is full says nothing any more.
constexpr Word one_more(Word count) { return count == most ? most : count + 1; }

}  // namespace

void start() {
  if (page != nullptr) return;
  void* const memory = mmap(nullptr, places * sizeof(Word), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) page = static_cast<std::atomic<Word>*>(memory);
}

void passed(uint64_t cookie) {
  std::atomic<Word>* const entry = find(cookie);
  if (entry == nullptr) return begin(cookie, 1);
  update(*entry, cookie,
         [=](Word word) { return word_of(cookie, one_more(passed_of(word)), arrived_of(word)); });
}

void not_passed(uint64_t cookie) {
  std::atomic<Word>* const entry = find(cookie);
  if (entry == nullptr) return;
  update(*entry, cookie, [=](Word word) {
    const Word count = passed_of(word);
    const bool known = count != 0 && count != most;
    return word_of(cookie, known ? count - 1 : count, arrived_of(word));
  });
}

void arrived(uint64_t cookie) {
  std::atomic<Word>* const entry = find(cookie);
  if (entry == nullptr) return;
  update(*entry, cookie,
         [=](Word word) { return word_of(cookie, passed_of(word), one_more(arrived_of(word))); });
}

void lose(uint64_t cookie) {
  std::atomic<Word>* const entry = find(cookie);
  if (entry == nullptr) return begin(cookie, most);
  update(*entry, cookie, [=](Word word) { return word_of(cookie, most, arrived_of(word)); });
}

bool stays_in_family(uint64_t cookie) {
  const std::atomic<Word>* const entry = find(cookie);
  if (entry == nullptr) return false;
  const Word word = entry->load();
  return cookie_of(word) == cookie && passed_of(word) != most &&
         passed_of(word) == arrived_of(word);
}

}  // namespace gaiter::shim::travels
