// Lines that would say the same again: which are written, and what the sums say.
#include "shim/log_sums.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

extern "C" {
#include <cmocka.h>
}

#include "shim/real.h"

using namespace gaiter::shim;

namespace {

std::string path;
int64_t now = 1'000 * log::sum_period;

struct Address {
  explicit Address(const std::string& text) {
    if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
    } else {
      auto& v4 = reinterpret_cast<sockaddr_in&>(v6);
      v4.sin_family = AF_INET;
      assert_int_equal(inet_pton(AF_INET, text.c_str(), &v4.sin_addr), 1);
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&v6); }
  sockaddr_in6 v6{};
};

bool first(const std::string& peer, const std::string& reason = "why",
           const std::string& words = "rule=r cause=c") {
  return log::is_first(log::Level::warning, Address(peer).get(), words, reason, now);
}

// What was written since.
std::string written() {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  assert_int_equal(truncate(path.c_str(), 0), 0);
  return text.str();
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// All that was counted is over.
int next_minute(void**) {
  now += 2 * log::sum_period;
  log::write_sums_due_at(now);
  written();
  return 0;
}

void the_first_is_written_and_the_others_are_counted(void**) {
  assert_true(first("192.0.2.1"));
  for (int i = 0; i != 49; ++i) assert_false(first("192.0.2.1"));
  now += log::sum_period - 1;
  log::write_sums_due_at(now);
  assert_string_equal(written().c_str(), "");
  now += 1;
  log::write_sums_due_at(now);
  const std::string line = written();
  assert_true(holds(line, " warning: summed rule=r cause=c remote=192.0.2.1 times=49 "));
  assert_true(holds(line, "reason=\"49 more from 192.0.2.1 within a minute: why\"\n"));
  assert_true(first("192.0.2.1"));
}

void one_alone_makes_no_sum(void**) {
  assert_true(first("192.0.2.1"));
  now += log::sum_period;
  log::write_sums_due_at(now);
  assert_string_equal(written().c_str(), "");
}

void what_differs_is_written(void**) {
  assert_true(first("192.0.2.1"));
  assert_true(first("192.0.2.2"));
  assert_true(first("192.0.2.1", "why not"));
  assert_true(first("192.0.2.1", "why", "rule=r cause=d"));
  assert_false(first("192.0.2.1"));
  assert_true(log::is_first(log::Level::warning, nullptr, "rule=r cause=c", "why", now));
  assert_false(log::is_first(log::Level::warning, nullptr, "rule=r cause=c", "why", now));
}

void a_peer_is_a_network_of_ipv6(void**) {
  assert_true(first("2001:db8:0:1::1"));
  assert_false(first("2001:db8:0:1:ffff::2"));
  assert_true(first("2001:db8:0:2::1"));
  assert_true(first("::ffff:192.0.2.1"));
  assert_false(first("192.0.2.1"));
  now += log::sum_period;
  log::write_sums_due_at(now);
  assert_true(holds(written(), "remote=2001:db8:0:1::/64 times=1 "));
}

// One that says something new each time takes no place from the others, and the log is short.
void many_reasons_of_one_peer_are_bounded(void**) {
  int lines = 0;
  for (int i = 0; i != 1000; ++i) lines += first("192.0.2.1", "reason " + std::to_string(i));
  assert_int_equal(lines, 5);
  assert_true(first("192.0.2.2"));
}

void many_peers_are_bounded(void**) {
  int lines = 0;
  for (int i = 0; i != 2000; ++i)
    lines += first("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250));
  assert_int_equal(lines, 65);
  assert_false(first("10.0.0.63"));
  now += log::sum_period;
  log::write_sums_due_at(now);
  const std::string sums = written();
  assert_true(holds(sums, "remote=others times=1935 "));
  assert_true(holds(sums, "remote=10.0.0.63 times=1 "));
}

void what_a_peer_says_cannot_forge(void**) {
  assert_true(first("192.0.2.1", "a\" forged=\"yes\nnext"));
  assert_false(first("192.0.2.1", "a\" forged=\"yes\nnext"));
  now += log::sum_period;
  log::write_sums_due_at(now);
  const std::string line = written();
  assert_true(holds(line, "a' forged='yes?next\"\n"));
}

// A server that forks for each connection: its children count together, and its end tells.
void children_count_with_their_parent(void**) {
  log::keep_sums();
  int lines = 0;
  for (int i = 0; i != 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const bool told = first("198.51.100.1");
      log::write_last_sums();
      _exit(told ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    lines += WEXITSTATUS(status);
  }
  assert_int_equal(lines, 1);
  assert_string_equal(written().c_str(), "");
  log::write_last_sums();
  assert_true(holds(written(), "remote=198.51.100.1 times=19 "));
}

}  // namespace

int main() {
  char name[] = "/tmp/gaiter-log-sums-XXXXXX";
  const int fd = mkstemp(name);
  if (fd < 0) return 1;
  close(fd);
  path = name;
  setenv("GAITER_LOG", ("info:" + path).c_str(), 1);
  real::bind();
  log::start();
  const CMUnitTest tests[] = {
      cmocka_unit_test_teardown(the_first_is_written_and_the_others_are_counted, next_minute),
      cmocka_unit_test_teardown(one_alone_makes_no_sum, next_minute),
      cmocka_unit_test_teardown(what_differs_is_written, next_minute),
      cmocka_unit_test_teardown(a_peer_is_a_network_of_ipv6, next_minute),
      cmocka_unit_test_teardown(many_reasons_of_one_peer_are_bounded, next_minute),
      cmocka_unit_test_teardown(many_peers_are_bounded, next_minute),
      cmocka_unit_test_teardown(what_a_peer_says_cannot_forge, next_minute),
      cmocka_unit_test_teardown(children_count_with_their_parent, next_minute),
  };
  const int failed = cmocka_run_group_tests_name("log_sums", tests, nullptr, nullptr);
  unlink(path.c_str());
  return failed;
}
