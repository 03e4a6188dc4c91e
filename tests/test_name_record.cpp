// A record of look-ups in memory that others write.
#include "shim/name_record.h"

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;

namespace {

struct Memory {
  explicit Memory(size_t size = NameRecord::least_size) : words(size / 8) {}
  std::span<uint8_t> bytes() {
    return {reinterpret_cast<uint8_t*>(words.data()), words.size() * 8};
  }
  std::vector<uint64_t> words;
};

HostBytes host(unsigned number) {
  return {0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0xff,
          0xff,
          10,
          static_cast<uint8_t>(number >> 16),
          static_cast<uint8_t>(number >> 8),
          static_cast<uint8_t>(number)};
}

std::vector<NameRecord::Entry> all_of(const NameRecord& record, const HostBytes& of) {
  std::vector<NameRecord::Entry> found;
  record.visit(of, [&](NameRecord::Entry entry) {
    found.push_back(std::move(entry));
    return found.size() == 10'000;
  });
  return found;
}

void what_is_added_is_found(void**) {
  Memory memory;
  const NameRecord record(memory.bytes());
  const EntryOffset first = record.add(host(1), 80, "a.example", 1);
  assert_int_not_equal(first, 0);
  assert_int_equal(record.add(host(1), 80, "a.example", 2), first);
  assert_int_not_equal(record.add(host(1), 81, "a.example", 3), first);
  assert_int_not_equal(record.add(host(1), 80, "a.exampl", 4), first);
  assert_int_equal(all_of(record, host(1)).size(), 3);
  assert_int_equal(all_of(record, host(2)).size(), 0);
  const NameRecord::Entry entry = record.read(first, host(1));
  assert_string_equal(entry.name.c_str(), "a.example");
  assert_int_equal(entry.order, 2);
  assert_int_equal(entry.port, 80);
  assert_string_equal(record.read(first, host(2)).name.c_str(), "");
}

void what_finds_no_room_is_known_to_be_missing(void**) {
  Memory memory;
  const NameRecord record(memory.bytes());
  unsigned added = 0;
  while (record.add(host(added), 0, "a.name.that.takes.room.example", 1) != 0) ++added;
  assert_true(added > 100);
  assert_true(record.complete(host(0)) || added > 60'000);
  assert_false(record.complete(host(added)));
  // What is there is still renewed.
  assert_int_not_equal(record.add(host(0), 0, "a.name.that.takes.room.example", 2), 0);
  assert_int_equal(all_of(record, host(added - 1)).size(), 1);
}

void threads_add_at_the_same_time(void**) {
  Memory memory(1 << 20);
  const NameRecord record(memory.bytes());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&record, t] {
      for (unsigned i = 0; i < 500; ++i)
        record.add(host(i % 7), 0, "t" + std::to_string(t) + "-" + std::to_string(i), i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  size_t found = 0;
  for (unsigned i = 0; i < 7; ++i) found += all_of(record, host(i)).size();
  assert_int_equal(found, 2000);
}

void nothing_that_is_written_there_is_believed(void**) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    Memory memory;
    const NameRecord record(memory.bytes());
    std::vector<EntryOffset> offsets;
    for (unsigned i = 0; i < 40; ++i)
      offsets.push_back(record.add(host(i % 5), 0, "name" + std::to_string(i), i));
    const std::span<uint8_t> bytes = memory.bytes();
    const size_t used = record.used();
    // Single bytes, runs, and words near to what offsets look like.
    for (int i = 0; i < 60; ++i) {
      const size_t at = random() % used;
      if (round % 3 == 0) {
        bytes[at] = static_cast<uint8_t>(random());
      } else if (round % 3 == 1) {
        const auto word = static_cast<uint32_t>(random() % (bytes.size() + 64));
        std::memcpy(&bytes[at / 4 * 4], &word, 4);
      } else {
        std::memset(&bytes[at], static_cast<int>(random()), std::min<size_t>(64, used - at));
      }
    }
    for (unsigned i = 0; i < 5; ++i)
      for (const NameRecord::Entry& entry : all_of(record, host(i)))
        assert_true(entry.name.size() <= 255);
    for (const EntryOffset at : offsets) record.read(at, host(1));
    for (unsigned i = 0; i < 40; ++i) record.add(host(i), 1, "more" + std::to_string(i), i);
    assert_true(record.used() <= bytes.size());
  }
}

void a_ring_of_entries_ends(void**) {
  Memory memory;
  const NameRecord record(memory.bytes());
  const EntryOffset first = record.add(host(1), 0, "a", 1);
  const EntryOffset second = record.add(host(1), 0, "b", 1);
  const std::span<uint8_t> bytes = memory.bytes();
  std::memcpy(&bytes[first + 8], &second, 4);  // next
  assert_true(all_of(record, host(1)).size() < 10'001);
  assert_int_not_equal(record.add(host(1), 0, "c", 1), 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_is_added_is_found),
      cmocka_unit_test(what_finds_no_room_is_known_to_be_missing),
      cmocka_unit_test(threads_add_at_the_same_time),
      cmocka_unit_test(nothing_that_is_written_there_is_believed),
      cmocka_unit_test(a_ring_of_entries_ends),
  };
  return cmocka_run_group_tests_name("name_record", tests, nullptr, nullptr);
}
