// The policy in use follows its files.
#include "shim/live.h"
#include "shim/process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

#include "policy_folder.h"
#include "shim/connection.h"
#include "shim/decision.h"

extern "C" {
#include <cmocka.h>
}

using namespace gaiter;
using namespace gaiter::shim;

namespace {

constinit policy::Folder* folder = nullptr;

Decision decide_on(uint16_t port) {
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_port = htons(port);
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in remote = local;
  remote.sin_port = htons(40'000);
  return decide(policy::Direction::inbound, reinterpret_cast<const sockaddr*>(&local),
                reinterpret_cast<const sockaddr*>(&remote));
}

Verdict verdict_on(uint16_t port) { return decide_on(port).verdict; }

void pause_for(long milliseconds) {
  const timespec pause{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  nanosleep(&pause, nullptr);
}

// Decisions are asked for all the while, as by a busy server.
bool becomes(uint16_t port, Verdict wanted, int seconds = 10) {
  for (int i = 0; i < seconds * 50; ++i) {
    if (verdict_on(port) == wanted) return true;
    pause_for(20);
  }
  return false;
}

void write_rule(int port, const char* tls) {
  folder->write("policy.d/" + std::to_string(port) + ".conf",
                std::string("inbound = { tls = \"") + tls + "\"; };\n");
}

int set_up(void**) {
  folder = new policy::Folder;
  setenv("GAITER_POLICY", folder->path().c_str(), 1);
  setenv("GAITER_LOG", "error:/dev/null", 1);
  folder->write("gaiter.conf", "keyring = \"" + folder->path("keyring") + "\";\n");
  write_rule(1, "block");
  return 0;
}

int tear_down(void**) {
  delete folder;
  return 0;
}

void a_rule_that_changes_is_followed(void**) {
  assert_int_equal(verdict_on(1), Verdict::block);
  assert_int_equal(verdict_on(2), Verdict::pass);
  write_rule(2, "block");
  assert_true(becomes(2, Verdict::block));
  write_rule(2, "off");
  assert_true(becomes(2, Verdict::pass));
  assert_int_equal(verdict_on(1), Verdict::block);
}

void a_change_is_seen_by_the_first_who_asks_two_seconds_later(void**) {
  write_rule(3, "block");
  pause_for(2'000);
  assert_int_equal(verdict_on(3), Verdict::block);
}

void a_mistake_changes_nothing_until_it_is_mended(void**) {
  write_rule(4, "blok");
  write_rule(5, "block");
  pause_for(2'000);
  assert_int_equal(verdict_on(4), Verdict::pass);
  assert_int_equal(verdict_on(5), Verdict::pass);
  assert_int_equal(verdict_on(1), Verdict::block);
  write_rule(4, "block");
  assert_true(becomes(5, Verdict::block));
  assert_int_equal(verdict_on(4), Verdict::block);
}

void a_connection_keeps_its_rule(void**) {
  write_rule(6, "required");
  assert_true(becomes(6, Verdict::protect));
  Connection* connection;
  {
    const Decision decision = decide_on(6);
    connection = Connection::make_pending(*decision.rule, ClearText::never);
    assert_non_null(connection);
    hold(*connection);
  }
  for (const char* const tls : {"off", "block", "off"}) {
    write_rule(6, tls);
    assert_true(becomes(6, *tls == 'o' ? Verdict::pass : Verdict::block));
    assert_string_equal(connection->rule().rule().name.c_str(), "6.conf:inbound");
    assert_int_equal(connection->rule().settings().tls, policy::Tls::required);
  }
  leave(*connection, Slot::descriptor);
}

void children_follow_by_themselves(void**) {
  assert_int_equal(verdict_on(7), Verdict::pass);
  live::before_fork();
  const pid_t child = fork();
  if (child == 0) {
    process::after_fork_in_child();
    live::after_fork_in_child();
    _exit(becomes(7, Verdict::block) ? 0 : 1);
  }
  live::after_fork_in_parent();
  write_rule(7, "block");
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_true(becomes(7, Verdict::block));
}

void another_root_changes_nothing(void**) {
  if (geteuid() != 0) skip();
  assert_int_equal(verdict_on(1), Verdict::block);
  const std::string jail = folder->path("jail");
  mkdir(jail.c_str(), 0755);
  live::before_fork();
  const pid_t child = fork();
  if (child == 0) {
    process::after_fork_in_child();
    live::after_fork_in_child();
    if (chroot(jail.c_str()) != 0) _exit(2);
    pause_for(1'500);
    _exit(verdict_on(1) == Verdict::block ? 0 : 1);
  }
  live::after_fork_in_parent();
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

// Last: the folder is gone afterwards.
void what_vanishes_stays_in_force(void**) {
  std::filesystem::remove_all(folder->path());
  pause_for(2'000);
  assert_int_equal(verdict_on(1), Verdict::block);
  pause_for(1'100);
  assert_int_equal(verdict_on(1), Verdict::block);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_rule_that_changes_is_followed),
      cmocka_unit_test(a_change_is_seen_by_the_first_who_asks_two_seconds_later),
      cmocka_unit_test(a_mistake_changes_nothing_until_it_is_mended),
      cmocka_unit_test(a_connection_keeps_its_rule),
      cmocka_unit_test(children_follow_by_themselves),
      cmocka_unit_test(another_root_changes_nothing),
      cmocka_unit_test(what_vanishes_stays_in_force),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
