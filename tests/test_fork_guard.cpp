// fork(2) while other threads are in the middle of handshakes.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "engine/fork_guard.h"
#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

bool handshake_works(const ContextRef& client, const ContextRef& server) {
  const auto at_client = Handshake::start(client, "server.example", "key");
  const auto at_server = Handshake::start(server, "", "");
  Step step = advance(*at_server, advance(*at_client, {}).output);
  step = advance(*at_client, step.output);
  return advance(*at_server, step.output).state == Handshake::State::done;
}

void children_can_handshake(void**) {
  const ContextRef client = context(Ours{});
  const ContextRef server = server_context();
  std::atomic<bool> stop = false;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      while (!stop)
        if (!handshake_works(client, server)) ++failures;
    });
  for (int i = 0; i < 12; ++i) {
    before_fork();
    const pid_t child = fork();
    if (child == 0) {
      after_fork_in_child();
      alarm(20);  // a lock left behind must not hang the test
      const bool works = handshake_works(client, server);
      before_fork();  // and a grandchild could be had
      after_fork_in_parent();
      _exit(works ? 0 : 1);
    }
    after_fork_in_parent();
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  assert_int_equal(failures, 0);
}

void steps_may_nest_and_be_forked_in(void**) {
  // As a signal handler would: a thread never waits for itself.
  const OpenSslStep outer;
  const OpenSslStep inner;
  before_fork();
  const pid_t child = fork();
  if (child == 0) {
    after_fork_in_child();
    _exit(0);
  }
  after_fork_in_parent();
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(children_can_handshake),
      cmocka_unit_test(steps_may_nest_and_be_forked_in),
  };
  return cmocka_run_group_tests_name("fork guard", tests, nullptr, nullptr);
}
