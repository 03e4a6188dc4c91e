#include "shim/arena.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <new>

#include "shim/family.h"
#include "shim/lock.h"
#include "shim/log.h"
#include "shim/real.h"

namespace gaiter::shim::arena {

namespace {

// ---- address space ----

// Segments begin at multiples of this. One record for each granule is enough: a slot's buffers
// take more than one.
constexpr size_t granule = 256 * 1024;
constexpr size_t buffers_size = batch_size + bulk_size;
static_assert(slots_per_page * buffers_size >= slots_per_page * granule);
constexpr uint32_t most_pages = granule / page_size;  // slots lie in a segment's first granule
constexpr size_t words = (most_pages * slots_per_page + 63) / 64;

constexpr uint32_t set_granules = 256;  // 64 MiB
constexpr uint32_t small_set_granules = 4;

// A number: the granule's, from 1, then the page, then the place on it.
constexpr int place_bits = 3;
constexpr int page_bits = 6;
static_assert(slots_per_page <= 1 << place_bits && most_pages == 1 << page_bits);

struct Segment {
  uint64_t id;  // 0 = there is none
  uint32_t granules;
  uint32_t next;         // of the open ones, or of the free ranges of this size
  uint16_t pages;        // of slots; 0 = an epoll set's
  uint16_t live;         // slots in use here
  uint16_t given_up;     // one more than `live` when the rest was given up
  bool open;             // no fork has seen it
  uint64_t used[words];  // by number within the segment
};

struct Space {
  uint8_t* base = nullptr;
  uint8_t* records = nullptr;
  Segment* segments = nullptr;
  uint8_t* family = nullptr;
  uint32_t granules = 0;
  uint32_t next = 0;  // those from here on were never used
  uint32_t mapped = 0;
  uint32_t most_mapped = 32'000;
  uint32_t open = none;     // list
  uint32_t next_pages = 1;  // of the next segment
  uint32_t made = 0;
  uint32_t free_ranges[4] = {none, none, none, none};  // of 1, 4, 16, 64 pages
  uint32_t free_sets = none;
  bool must_close = false;  // a fork came amid a change
  bool is_filtered = false;
  bool told = false;
  static constexpr uint32_t none = UINT32_MAX;
};
constinit Space space{};
constinit Lock lock;  // of all of it but base, records, segments
constinit LockResult frozen = LockResult::reentered;

// ---- blocks ----

// A stack of free blocks: the top's number, and a tag against ABA.
struct FreeList {
  std::atomic<uint64_t> top{0};
  std::atomic<uint32_t> touched{0};  // blocks ever handed out; those above are virgin
};
struct Region {
  uint8_t* base = nullptr;
  uint32_t capacity = 0;
};
constinit FreeList lists[block_kinds]{};
constinit Region regions[block_kinds]{};
constinit size_t blocks_size = 0;

constinit std::atomic<int> stage = 0;  // 0 none, 1 being made, 2 ready, 3 impossible

void* map(size_t size, int protection, int kind) {
  void* const memory = mmap(nullptr, size, protection, kind | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, size, MADV_DONTDUMP);
  return memory;
}

constexpr int writable = PROT_READ | PROT_WRITE;

size_t tables_size(size_t granules) { return granules * (record_size + sizeof(Segment)); }

bool make_space(size_t size) {
  const size_t count = size / granule - 1;  // one for the alignment
  auto* const reserve = static_cast<uint8_t*>(map(size, PROT_NONE, MAP_PRIVATE));
  if (reserve == nullptr) return false;
  auto* const tables = static_cast<uint8_t*>(map(tables_size(count), writable, MAP_PRIVATE));
  if (tables == nullptr) {
    munmap(reserve, size);
    return false;
  }
  const auto start = reinterpret_cast<uintptr_t>(reserve);
  space.base = reserve + ((start + granule - 1) / granule * granule - start);
  space.records = tables;
  space.segments = reinterpret_cast<Segment*>(tables + count * record_size);
  space.granules = static_cast<uint32_t>(count);
  return true;
}

bool make_blocks(size_t size) {
  auto* const memory = static_cast<uint8_t*>(map(size, writable, MAP_PRIVATE));
  if (memory == nullptr) return false;
  const size_t batches = size / 4 * 3;
  regions[0] = {memory, static_cast<uint32_t>(batches / size_of(Block::batch))};
  regions[1] = {memory + batches, static_cast<uint32_t>((size - batches) / size_of(Block::bulk))};
  blocks_size = size;
  return true;
}

// Half of what the kernel lets a process have (vm.max_map_count).
uint32_t half_of_mappings() {
  char text[16]{};
  const int fd = ::open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return space.most_mapped;
  const ssize_t got = real::read(fd, text, sizeof text - 1);
  real::close(fd);
  const long most = got > 0 ? std::strtol(text, nullptr, 10) : 0;
  return most > 0 ? static_cast<uint32_t>(std::min(most, 1L << 24)) / 2 : space.most_mapped;
}

bool make_all() {
  rlimit data{};
  const bool is_limited =
      real::prlimit(0, RLIMIT_DATA, nullptr, &data) == 0 && data.rlim_cur != RLIM_INFINITY;
  // Address space only; less of it where the program's limits are tight.
  bool made = false;
  for (int shift = is_limited ? 34 : 38; !made && shift >= 26; shift -= 2)
    made = make_space(size_t{1} << shift);
  if (!made) return false;
  made = false;
  for (int shift = is_limited ? 24 : 33; !made && shift >= 22; --shift)
    made = make_blocks(size_t{1} << shift);
  space.family = static_cast<uint8_t*>(map(family_size, writable, MAP_SHARED));
  space.most_mapped = half_of_mappings();
  return made && space.family != nullptr;
}

bool ready() {
  int seen = stage.load(std::memory_order_acquire);
  if (seen == 2) [[likely]]
    return true;
  if (seen == 0 && stage.compare_exchange_strong(seen, 1, std::memory_order_acquire)) {
    const int saved_errno = errno;
    const bool made = make_all();
    errno = saved_errno;
    stage.store(made ? 2 : 3, std::memory_order_release);
    return made;
  }
  // By another thread; or by this one, whose signal handler we are, and then in vain.
  for (int i = 0; i < 10'000 && (seen = stage.load(std::memory_order_acquire)) == 1; ++i)
    sched_yield();
  return seen == 2;
}

// ---- segments ----

uint8_t* start_of(uint32_t first) { return space.base + size_t{first} * granule; }

// A slot's place: its segment's first granule, and its number within that.
struct Place {
  uint32_t first, page, place;
  uint32_t within() const { return page * static_cast<uint32_t>(slots_per_page) + place; }
};

Place place_of(const void* slot) {
  const auto offset = static_cast<size_t>(static_cast<const uint8_t*>(slot) - space.base);
  const size_t in_granule = offset % granule;
  return {static_cast<uint32_t>(offset / granule), static_cast<uint32_t>(in_granule / page_size),
          static_cast<uint32_t>(in_granule % page_size / slot_size)};
}

uint32_t granules_for(uint32_t pages) {
  const size_t size = pages * (page_size + slots_per_page * buffers_size);
  return static_cast<uint32_t>((size + granule - 1) / granule);
}

uint32_t& free_ranges_for(uint32_t pages) {
  if (pages == 0) return space.free_sets;
  return space.free_ranges[pages == 1 ? 0 : pages == 4 ? 1 : pages == 16 ? 2 : 3];
}

// A new one; none if there is no room.
uint32_t make_segment(uint32_t pages) {
  if (space.mapped >= space.most_mapped) {
    if (!space.told)
      log::line(log::Level::error,
                "refused cause=local reason=\"no memory for another connection: {} mappings are in "
                "use\" advice=\"raise vm.max_map_count, or let the program fork less\"",
                space.mapped);
    space.told = true;
    return Space::none;
  }
  uint32_t& known = free_ranges_for(pages);
  uint32_t first = known;
  uint32_t granules = pages != 0                           ? granules_for(pages)
                      : space.granules > 16 * set_granules ? set_granules
                                                           : small_set_granules;
  if (first != Space::none) {
    known = space.segments[first].next;
  } else if (granules <= space.granules - space.next) {
    first = space.next;
    space.next += granules;
  } else {
    return Space::none;
  }
  Segment& segment = space.segments[first];
  const size_t size = size_t{granules} * granule;
  void* const memory = mmap(start_of(first), size, writable,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (memory == MAP_FAILED) {
    segment.next = known;
    known = first;
    return Space::none;
  }
  madvise(memory, size, MADV_DONTDUMP);
  segment = {};
  segment.id = uint64_t{family::self()} << 32 | ++space.made;
  segment.granules = granules;
  segment.pages = static_cast<uint16_t>(pages);
  ++space.mapped;
  return first;
}

void unmap(uint32_t first) {
  Segment& segment = space.segments[first];
  if (space.is_filtered) return;
  const size_t size = size_t{segment.granules} * granule;
  if (mmap(start_of(first), size, PROT_NONE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
    return;
  }
  --space.mapped;
  segment.id = 0;
  uint32_t& known = free_ranges_for(segment.pages);
  segment.next = known;
  known = first;
}

uint32_t free_place(const Segment& segment) {
  const auto count = static_cast<uint32_t>(segment.pages * slots_per_page);
  for (uint32_t i = 0; i * 64 < count; ++i) {
    const uint64_t free = ~segment.used[i];
    if (free == 0) continue;
    const uint32_t found = i * 64 + static_cast<uint32_t>(__builtin_ctzll(free));
    return found < count ? found : Space::none;
  }
  return Space::none;
}

void close_generation() {
  uint32_t next;
  for (uint32_t first = space.open; first != Space::none; first = next) {
    Segment& segment = space.segments[first];
    next = segment.next;
    segment.open = false;
    if (segment.live == 0) unmap(first);
  }
  space.open = Space::none;
  space.next_pages = 1;
  space.must_close = false;
}

uint32_t open_segment() {
  if (space.must_close) close_generation();
  for (uint32_t first = space.open; first != Space::none; first = space.segments[first].next)
    if (free_place(space.segments[first]) != Space::none) return first;
  const uint32_t pages = space.next_pages;
  const uint32_t first = make_segment(pages);
  if (first == Space::none) return first;
  space.next_pages = std::min(4 * pages, most_pages);
  space.segments[first].open = true;
  space.segments[first].next = space.open;
  return space.open = first;
}

void* take_place(uint32_t first, uint32_t within) {
  Segment& segment = space.segments[first];
  segment.used[within / 64] |= uint64_t{1} << (within % 64);
  ++segment.live;
  return start_of(first) + within / slots_per_page * page_size +
         within % slots_per_page * slot_size;
}

bool is_in_use(const Segment& segment, uint32_t within) {
  return (segment.used[within / 64] >> (within % 64) & 1) != 0;
}

// Calls visit(first, segment) for each.
template <class Visit>
void for_each_segment(Visit visit) {
  for (uint32_t first = 0; first < space.next;) {
    Segment& segment = space.segments[first];
    const uint32_t granules = std::max(segment.granules, 1u);
    if (segment.id != 0) visit(first, segment);
    first += granules;
  }
}

void put_nothing(uint8_t* from, size_t size) {
  if (size != 0)
    mmap(from, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

// Pages of slots none of which is in use, and the buffers of all that are not.
void give_up_rest_of(uint32_t first, const Segment& segment) {
  uint8_t* const start = start_of(first);
  for (uint32_t page = 0; page < segment.pages; ++page) {
    bool is_used = false;
    for (uint32_t i = 0; i < slots_per_page; ++i) {
      const auto within = static_cast<uint32_t>(page * slots_per_page + i);
      if (is_in_use(segment, within)) {
        is_used = true;
      } else {
        put_nothing(start + segment.pages * page_size + within * buffers_size, buffers_size);
      }
    }
    if (!is_used) put_nothing(start + page * page_size, page_size);
  }
}

}  // namespace

// ---- blocks ----

namespace {

std::atomic<uint32_t>& next_of(uint8_t* block) {
  return *reinterpret_cast<std::atomic<uint32_t>*>(block);
}

}  // namespace

void* allocate(Block block) {
  if (!ready()) return nullptr;
  const auto index = static_cast<size_t>(block);
  FreeList& list = lists[index];
  const Region& region = regions[index];
  uint64_t top = list.top.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(top) != 0) {
    uint8_t* const found = region.base + (static_cast<uint32_t>(top) - 1) * size_of(block);
    const uint64_t tag = (top >> 32) + 1;
    const uint64_t next = tag << 32 | next_of(found).load(std::memory_order_relaxed);
    if (list.top.compare_exchange_weak(top, next, std::memory_order_acquire)) return found;
  }
  uint32_t virgin = list.touched.load(std::memory_order_relaxed);
  do {
    if (virgin == region.capacity) return nullptr;
  } while (!list.touched.compare_exchange_weak(virgin, virgin + 1, std::memory_order_relaxed));
  return region.base + virgin * size_of(block);
}

void release(Block block, void* memory) {
  if (memory == nullptr) return;
  const auto index = static_cast<size_t>(block);
  FreeList& list = lists[index];
  auto* const bytes = static_cast<uint8_t*>(memory);
  const auto number =
      static_cast<uint32_t>(static_cast<size_t>(bytes - regions[index].base) / size_of(block) + 1);
  uint64_t top = list.top.load(std::memory_order_relaxed);
  uint64_t next;
  do {
    next_of(bytes).store(static_cast<uint32_t>(top), std::memory_order_relaxed);
    next = ((top >> 32) + 1) << 32 | number;
  } while (!list.top.compare_exchange_weak(top, next, std::memory_order_release));
}

// ---- slots ----

void* family() { return ready() ? space.family : nullptr; }

void* make_slot() {
  if (!ready()) return nullptr;
  family::self();  // takes no lock under ours
  const LockGuard guard(lock, true);
  if (!guard.held()) return nullptr;
  const uint32_t first = open_segment();
  return first == Space::none ? nullptr : take_place(first, free_place(space.segments[first]));
}

void* make_set_slot() {
  if (!ready()) return nullptr;
  family::self();
  const LockGuard guard(lock, true);
  if (!guard.held()) return nullptr;
  const uint32_t first = make_segment(0);
  return first == Space::none ? nullptr : take_place(first, 0);
}

void end_slot(void* slot) {
  const Place place = place_of(slot);
  const LockGuard guard(lock, true);
  if (!guard.held()) return;  // in a signal handler: memory is what it costs
  Segment& segment = space.segments[place.first];
  segment.used[place.within() / 64] &= ~(uint64_t{1} << (place.within() % 64));
  if (--segment.live == 0 && !segment.open) unmap(place.first);
}

bool is_open(const void* slot) { return space.segments[place_of(slot).first].open; }

uint32_t number_of(const void* slot) {
  const Place place = place_of(slot);
  return (place.first + 1) << (page_bits + place_bits) | place.page << place_bits | place.place;
}

void* at(uint32_t number) {
  const uint32_t page = number >> place_bits & ((1u << page_bits) - 1);
  const uint32_t place = number & ((1u << place_bits) - 1);
  return start_of((number >> (page_bits + place_bits)) - 1) + page * page_size + place * slot_size;
}

void* record_of(const void* slot) {
  const Place place = place_of(slot);
  return space.records + size_t{place.first + place.within()} * record_size;
}

Reference reference_to(const void* slot) {
  return {space.segments[place_of(slot).first].id, number_of(slot)};
}

void* resolve(Reference reference) {
  const uint32_t first = (reference.number >> (page_bits + place_bits)) - 1;
  if (!ready() || reference.segment == 0 || first >= space.granules) return nullptr;
  const Segment& segment = space.segments[first];
  const Place named{first, reference.number >> place_bits & (most_pages - 1),
                    reference.number & ((1u << place_bits) - 1)};
  const auto count = std::max<uint32_t>(segment.pages * slots_per_page, 1);
  if (segment.id != reference.segment || named.place >= slots_per_page || named.within() >= count)
    return nullptr;
  return at(reference.number);
}

uint8_t* inbox_of(const void* slot) {
  const Place place = place_of(slot);
  return start_of(place.first) + space.segments[place.first].pages * page_size +
         place.within() * buffers_size;
}

uint8_t* outbox_of(const void* slot) { return inbox_of(slot) + batch_size; }

Room registrations_of(const void* slot) {
  const Place place = place_of(slot);
  return {start_of(place.first) + page_size,
          size_t{space.segments[place.first].granules} * granule - page_size};
}

void give_back(uint8_t* buffer, size_t size) {
  if (space.is_filtered) return;  // it may end who makes a call that it did not make before
  const int saved_errno = errno;
  madvise(buffer, (size + page_size - 1) / page_size * page_size, MADV_REMOVE);
  errno = saved_errno;
}

void for_each_record(void (*visit)(void* record, void* context), void* context) {
  if (stage.load(std::memory_order_acquire) != 2) return;
  const LockGuard guard(lock, true);
  if (!guard.held()) return;
  for_each_segment([&](uint32_t first, const Segment& segment) {
    const auto count = std::max<uint32_t>(segment.pages * slots_per_page, 1);
    for (uint32_t i = 0; i < count; ++i)
      if (is_in_use(segment, i)) visit(space.records + size_t{first + i} * record_size, context);
  });
}

void give_up_rest() {
  if (stage.load(std::memory_order_acquire) != 2) return;
  const int saved_errno = errno;
  const LockGuard guard(lock, true);
  if (!guard.held()) return;
  for_each_segment([&](uint32_t first, Segment& segment) {
    // What is open nobody else has, and what is free there is empty.
    if (segment.open || segment.given_up == segment.live + 1) return;
    give_up_rest_of(first, segment);
    segment.given_up = static_cast<uint16_t>(segment.live + 1);
  });
  errno = saved_errno;
}

void prepare_for_filter() {
  if (stage.load(std::memory_order_acquire) != 2) return;
  const int saved_errno = errno;
  give_up_rest();
  const LockGuard guard(lock, true);
  if (!guard.held()) return;
  space.next_pages = std::max(space.next_pages, 4u);
  open_segment();
  space.is_filtered = true;
  errno = saved_errno;
}

// ---- forks ----

void before_fork() { frozen = lock.acquire(true); }

namespace {

void end_generation() {
  if (stage.load(std::memory_order_acquire) != 2) return;
  // One that forks in a signal handler, amid a change, does it with the next one.
  space.must_close = true;
  if (held(frozen)) close_generation();
}

}  // namespace

void after_fork_in_parent() {
  end_generation();
  lock.release(frozen);
}

void after_fork_in_child() {
  int under_way = 1;  // by another thread of the parent; the child makes its own
  stage.compare_exchange_strong(under_way, 0);
  new (&lock) Lock;
  end_generation();
}

size_t reserved() {
  if (!ready()) return 0;
  return size_t{space.granules + 1} * granule + private_size() + family_size;
}

size_t private_size() { return ready() ? tables_size(space.granules) + blocks_size : 0; }

}  // namespace gaiter::shim::arena
