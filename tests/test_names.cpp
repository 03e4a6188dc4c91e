// Which names a connection expects: those that were looked up for its address.
#include "shim/names.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "policy/settings.h"
#include "shim/expected_names.h"

using namespace gaiter::shim;
using gaiter::engine::ExpectedPeer;

namespace {

struct Address {
  explicit Address(const std::string& text, uint16_t port = 0) {
    if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
    } else {
      auto& v4 = reinterpret_cast<sockaddr_in&>(v6);
      v4.sin_family = AF_INET;
      assert_int_equal(inet_pton(AF_INET, text.c_str(), &v4.sin_addr), 1);
    }
    v6.sin6_port = htons(port);  // the same place in both
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&v6); }
  sockaddr_in6 v6{};
};

using Names = std::vector<std::string>;

void expect(const Address& address, const Names& wanted, const void* memory = nullptr) {
  const names::Candidates found = names::candidates_for(address.get(), memory);
  assert_false(found.others);
  if (found.names != wanted)
    for (const std::string& name : found.names) print_error("found %s\n", name.c_str());
  assert_true(found.names == wanted);
}

void look_up(const std::string& name, const Address& address, const void* memory = nullptr) {
  names::remember(name.c_str(), address.get(), memory);
}

// Runs `what` in a child that has ended when this returns.
template <class What>
void in_child(What what) {
  names::before_fork();
  const pid_t child = fork();
  if (child == 0) {
    what();
    _exit(0);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

void every_name_of_an_address_may_be_meant(void**) {
  expect(Address("192.0.2.1"), {});
  look_up("old.example", Address("192.0.2.2"));
  look_up("new.example", Address("192.0.2.2"));
  expect(Address("192.0.2.2"), {"new.example", "old.example"});
  look_up("old.example", Address("192.0.2.2"));
  expect(Address("192.0.2.2"), {"old.example", "new.example"});
}

void the_threads_own_look_up_is_the_best_guess(void**) {
  look_up("mine.example", Address("192.0.2.3"));
  std::thread([] { look_up("theirs.example", Address("192.0.2.3")); }).join();
  expect(Address("192.0.2.3"), {"mine.example", "theirs.example"});
  std::thread([] { expect(Address("192.0.2.3"), {"theirs.example", "mine.example"}); }).join();
}

void a_name_is_one_however_it_is_written(void**) {
  look_up("one.example", Address("192.0.2.4"));
  look_up("ONE.example.", Address("192.0.2.4"));
  expect(Address("::ffff:192.0.2.4"), {"one.example"});
}

void numbers_are_no_names(void**) {
  look_up("web.example", Address("127.0.0.1"));
  for (const char* number : {"127.0.0.1", "127.1", "0x7f.1", "2130706433", "::1", "fe80::1%eth0",
                             "127.0.0.1.", "0177.0.0.1"})
    look_up(number, Address("127.0.0.1"));
  expect(Address("127.0.0.1"), {"web.example"});
  look_up("::1", Address("::1"));
  expect(Address("::1"), {});
  look_up("cafe", Address("::1"));
  expect(Address("::1"), {"cafe"});
}

void what_cannot_be_a_name_is_passed_over(void**) {
  names::remember(nullptr, Address("192.0.2.6").get());
  look_up("", Address("192.0.2.6"));
  look_up("...", Address("192.0.2.6"));
  look_up(std::string(254, 'x'), Address("192.0.2.6"));
  names::remember("x", nullptr);
  const sockaddr_storage unix{.ss_family = AF_UNIX, .__ss_padding = {}, .__ss_align = 0};
  names::remember("x", reinterpret_cast<const sockaddr*>(&unix));
  expect(Address("192.0.2.6"), {});
  look_up(std::string(253, 'x'), Address("192.0.2.6"));
  expect(Address("192.0.2.6"), {std::string(253, 'x')});
}

void a_look_up_for_a_service_is_for_that(void**) {
  look_up("web.example", Address("192.0.2.7", 80));
  look_up("db.example", Address("192.0.2.7", 5432));
  expect(Address("192.0.2.7", 80), {"web.example"});
  expect(Address("192.0.2.7", 5432), {"db.example"});
  // Another port may be either's: FTP's data connections, a port set afterwards.
  expect(Address("192.0.2.7", 9), {"db.example", "web.example"});
  look_up("any.example", Address("192.0.2.7"));
  expect(Address("192.0.2.7", 80), {"any.example", "web.example"});
  expect(Address("192.0.2.7", 9), {"any.example"});
}

void the_memory_of_an_address_tells_until_it_is_freed(void**) {
  Address first("192.0.2.8", 80), second("192.0.2.8", 80);
  look_up("first.example", first, &first);
  look_up("second.example", second, &second);
  expect(first, {"first.example"}, &first);
  expect(second, {"second.example"}, &second);
  expect(first, {"second.example", "first.example"}, nullptr);
  names::forget_memory(&first);
  expect(first, {"second.example", "first.example"}, &first);
  // Another address was written there.
  look_up("third.example", Address("192.0.2.9", 80));
  expect(Address("192.0.2.9", 80), {"third.example"}, &second);
  // Or a number's.
  look_up("192.0.2.8", second, &second);
  expect(second, {"second.example", "first.example"}, &second);
}

void nothing_is_forgotten(void**) {
  look_up("first.example", Address("198.51.100.1"));
  for (int i = 0; i < 20'000; ++i)
    look_up("n" + std::to_string(i) + ".example",
            Address("203.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)));
  for (int i = 0; i < 600; ++i)
    std::thread([] { look_up("other.example", Address("198.51.100.2")); }).join();
  expect(Address("198.51.100.1"), {"first.example"});
  expect(Address("203.0.79.249"), {"n19999.example"});
}

void a_childs_look_up_reaches_its_family(void**) {
  in_child([] { look_up("child.example", Address("192.0.2.10")); });
  expect(Address("192.0.2.10"), {"child.example"});
  in_child([] {
    expect(Address("192.0.2.10"), {"child.example"});
    look_up("second.example", Address("192.0.2.10"));
  });
  look_up("own.example", Address("192.0.2.10"));
  expect(Address("192.0.2.10"), {"own.example", "second.example", "child.example"});
}

void who_gives_up_rights_knows_all_and_tells_nobody_but_its_children(void**) {
  in_child([] { look_up("before.example", Address("192.0.2.11")); });
  in_child([] {
    names::give_up();
    expect(Address("192.0.2.11"), {"before.example"});
    look_up("after.example", Address("192.0.2.11"));
    in_child([] { look_up("grandchild.example", Address("192.0.2.11")); });
    expect(Address("192.0.2.11"), {"after.example", "grandchild.example", "before.example"});
  });
  expect(Address("192.0.2.11"), {"before.example"});
}

// ---- with what a rule says ----

ExpectedPeer expected(const Address& address, const std::string& server_name,
                      const Names& interchangeable = {}) {
  gaiter::policy::Settings settings;
  settings.server_name = server_name;
  settings.interchangeable = interchangeable;
  return expected_names(settings, address.get(), nullptr);
}

void the_rule_may_say_who_it_is(void**) {
  const Address at("192.0.2.12");
  assert_true(expected(at, "").names == Names{"192.0.2.12"});
  assert_string_equal(expected(at, "").sent.c_str(), "192.0.2.12");
  look_up("a.example", at);
  look_up("b.example", at);
  assert_true(expected(at, "fixed.example").names == Names{"fixed.example"});
  assert_true((expected(at, "").names == Names{"b.example", "a.example"}));
  assert_string_equal(expected(at, "").sent.c_str(), "b.example");
  assert_true((expected(at, "x.%h").names == Names{"x.b.example", "x.a.example"}));
}

void interchangeable_names_count_as_one(void**) {
  const Address at("192.0.2.13");
  for (const char* name : {"a.apps.internal", "b.apps.internal", "x.y.apps.internal", "evil.test"})
    look_up(name, at);
  assert_true((expected(at, "", {"*.apps.internal"}).names ==
               Names{"evil.test", "x.y.apps.internal", "b.apps.internal"}));
  look_up("a.apps.internal", at);
  const ExpectedPeer peer = expected(at, "", {"*.apps.internal", "x.y.apps.internal", "evil.test"});
  assert_true(peer.names == Names{"a.apps.internal"});
  assert_string_equal(peer.sent.c_str(), "a.apps.internal");
}

// ---- a model ----

// What may be meant, told in the simplest way.
class Model {
 public:
  struct LookUp {
    std::string host, name;
    uint16_t port;
    bool operator<(const LookUp& other) const {
      return std::tie(host, name, port) < std::tie(other.host, other.name, other.port);
    }
  };

  void add(const LookUp& one, const void* memory) {
    all_.insert(one);
    if (memory != nullptr) memory_[memory] = one;
  }
  void forget(const void* memory) { memory_.erase(memory); }

  std::set<std::string> meant(const std::string& host, uint16_t port, const void* memory) const {
    if (const auto at = memory_.find(memory); at != memory_.end() && at->second.host == host)
      return {at->second.name};
    std::set<std::string> fit, any;
    for (const LookUp& one : all_) {
      if (one.host != host) continue;
      any.insert(one.name);
      if (one.port == 0 || one.port == port) fit.insert(one.name);
    }
    return fit.empty() ? any : fit;
  }

 private:
  std::set<LookUp> all_;
  std::map<const void*, LookUp> memory_;
};

class Play {
 public:
  explicit Play(unsigned seed) : random_(seed), seed_(seed) {}

  void run() {
    for (int i = 0; i < 400; ++i) step();
  }

 private:
  unsigned pick(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

  // Each play has hosts of its own.
  std::string pick_host() {
    return "10." + std::to_string(seed_ / 250) + "." + std::to_string(seed_ % 250) + "." +
           std::to_string(pick(5));
  }

  void step() {
    const unsigned what = pick(10);
    if (what < 4) return look(pick(4));
    if (what < 5) {
      Address& place = places_[pick(place_count)];
      names::forget_memory(&place);
      return model_.forget(&place);
    }
    connect();
  }

  void look(unsigned who) {
    static const char* const written[] = {"a.example", "B.example", "c.example.", "d.example"};
    static const char* const names[] = {"a.example", "b.example", "c.example", "d.example"};
    static const uint16_t ports[] = {0, 80, 443};
    const unsigned name = pick(6);
    const std::string host = pick_host();
    const uint16_t port = ports[pick(3)];
    Address& place = places_[pick(place_count)];
    const bool in_memory = who == 0 && pick(2) == 0;
    const void* const memory = in_memory ? &place : nullptr;
    if (in_memory) place = Address(host, port);
    const std::string text = name < 4 ? written[name] : name == 4 ? "0x7f.1" : host;
    const auto act = [&] { look_up(text, Address(host, port), memory); };
    if (who == 1) {
      std::thread(act).join();
    } else if (who == 2) {
      in_child(act);
    } else {
      act();
    }
    if (in_memory) model_.forget(memory);
    if (name < 4) model_.add({host, names[name], port}, memory);
  }

  void connect() {
    static const uint16_t ports[] = {80, 443, 21};
    const unsigned number = pick(place_count);
    const bool in_memory = pick(2) == 0 && places_[number].v6.sin6_family != 0;
    const std::string host = in_memory ? names::in_text(places_[number].get()) : pick_host();
    const uint16_t port = in_memory ? ntohs(places_[number].v6.sin6_port) : ports[pick(3)];
    const void* const memory = in_memory ? &places_[number] : nullptr;
    const names::Candidates found = names::candidates_for(Address(host, port).get(), memory);
    const std::set<std::string> names(found.names.begin(), found.names.end());
    if (names != model_.meant(host, port, memory) || names.size() != found.names.size())
      print_error("seed %u\n", seed_);
    assert_true(names == model_.meant(host, port, memory));
    assert_true(names.size() == found.names.size());
  }

  std::mt19937 random_;
  const unsigned seed_;
  Model model_;
  static constexpr unsigned place_count = 6;
  Address places_[place_count] = {Address("0.0.0.0"), Address("0.0.0.0"), Address("0.0.0.0"),
                                  Address("0.0.0.0"), Address("0.0.0.0"), Address("0.0.0.0")};
};

void random_sequences_are_as_the_model_says(void**) {
  const char* const wanted = std::getenv("NAMES_SEED");
  if (wanted != nullptr) return Play(static_cast<unsigned>(std::atoi(wanted))).run();
  for (unsigned seed = 0; seed < 20; ++seed) Play(seed).run();
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(every_name_of_an_address_may_be_meant),
      cmocka_unit_test(the_threads_own_look_up_is_the_best_guess),
      cmocka_unit_test(a_name_is_one_however_it_is_written),
      cmocka_unit_test(numbers_are_no_names),
      cmocka_unit_test(what_cannot_be_a_name_is_passed_over),
      cmocka_unit_test(a_look_up_for_a_service_is_for_that),
      cmocka_unit_test(the_memory_of_an_address_tells_until_it_is_freed),
      cmocka_unit_test(nothing_is_forgotten),
      cmocka_unit_test(a_childs_look_up_reaches_its_family),
      cmocka_unit_test(who_gives_up_rights_knows_all_and_tells_nobody_but_its_children),
      cmocka_unit_test(the_rule_may_say_who_it_is),
      cmocka_unit_test(interchangeable_names_count_as_one),
      cmocka_unit_test(random_sequences_are_as_the_model_says),
  };
  return cmocka_run_group_tests_name("names", tests, nullptr, nullptr);
}
