// No crash, no full disk and no rival spoils a keyring; and how one comes to be at
// the first use.
#include <signal.h>
#include <sys/resource.h>

#include "keyring/host_names.h"
#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

void the_next_writer_sweeps_what_a_dead_one_left(void**) {
  const Fresh fresh;
  std::filesystem::create_directory(fresh.path + "/.tmp-entry");
  put_file(fresh.path + "/.tmp-entry/key.pem", "half a k", 0600);
  put_file(fresh.path + "/.tmp-file", "form");
  assert_int_equal(take(fresh.keyring.entries()).size(), 0);
  take(create_entry(fresh.keyring, request_for("a")));
  take(set_default(fresh.keyring, "a"));
  assert_false(has_leftovers(fresh.path));
}

void a_failure_leaves_the_old_entry(void**) {
  const Fresh fresh;
  const Made a = make(request_for("a"));
  const Made b = make(request_for("b"));
  take(import_entry(fresh.keyring, "x", Usage::personal, a.certificate_pem + a.key_pem, false));
  // No file may grow beyond 64 bytes: as on a full disk, in the middle of a write.
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{64, 64};
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto failed =
        import_entry(fresh.keyring, "x", Usage::personal, b.certificate_pem + b.key_pem, true);
    _exit(!failed && failed.error().kind == Kind::system &&
                  failed.error().message.contains("certificate.pem")
              ? 0
              : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  assert_false(has_leftovers(fresh.path));
  assert_string_equal(common_name(take(fresh.keyring.identity("x")).leaf.get()).c_str(), "a");
}

// A child that replaces "x" by `one` and `two` in turn until it is killed.
pid_t start_replacing(const Keyring& keyring, const Made& one, const Made& two) {
  const pid_t child = fork();
  if (child != 0) return child;
  const std::string pems[] = {one.certificate_pem + one.key_pem, two.certificate_pem + two.key_pem};
  for (size_t turn = 0;; ++turn) {
    if (!import_entry(keyring, "x", Usage::personal, pems[turn % 2], true)) _exit(1);
  }
}

void end(pid_t child) {
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  assert_true(WIFSIGNALED(status));  // it had not failed by itself
}

void a_killed_writer_leaves_the_old_or_the_new(void**) {
  const Fresh fresh;
  const Made one = make(request_for("one"));
  const Made two = make(request_for("two"));
  take(import_entry(fresh.keyring, "x", Usage::personal, one.certificate_pem + one.key_pem, false));
  for (useconds_t round = 0; round < 40; ++round) {
    const pid_t child = start_replacing(fresh.keyring, one, two);
    usleep(1500 + 137 * round);
    end(child);
    take(fresh.keyring.identity("x"));
  }
  take(create_entry(fresh.keyring, request_for("last")));
  assert_false(has_leftovers(fresh.path));
}

void a_reader_never_sees_a_mixture(void**) {
  const Fresh fresh;
  const Made one = make(request_for("one"));
  const Made two = make(request_for("two"));
  take(import_entry(fresh.keyring, "x", Usage::personal, one.certificate_pem + one.key_pem, false));
  const pid_t child = start_replacing(fresh.keyring, one, two);
  bool seen_one = false, seen_two = false;
  for (int turn = 0; turn < 300 || (!(seen_one && seen_two) && turn < 100'000); ++turn) {
    // identity() fails if key and certificate do not belong together.
    const std::string name = common_name(take(fresh.keyring.identity("x")).leaf.get());
    seen_one |= name == "one";
    seen_two |= name == "two";
    assert_int_equal(take(fresh.keyring.entries()).size(), 1);
  }
  end(child);
  assert_true(seen_one && seen_two);
}

void writers_at_once_lose_nothing(void**) {
  const Fresh fresh;
  const Made made = make(request_for("made"));
  const std::string pem = made.certificate_pem + made.key_pem;
  constexpr int writers = 4, entries_each = 5;
  pid_t children[writers];
  for (int writer = 0; writer < writers; ++writer) {
    children[writer] = fork();
    if (children[writer] != 0) continue;
    for (int i = 0; i < entries_each; ++i) {
      const std::string label = std::to_string(writer) + "." + std::to_string(i);
      if (!import_entry(fresh.keyring, label, Usage::personal, pem, false)) _exit(1);
      if (!set_default(fresh.keyring, label)) _exit(1);
    }
    _exit(0);
  }
  for (const pid_t child : children) {
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
  }
  assert_int_equal(take(fresh.keyring.entries()).size(), writers * entries_each);
  take(fresh.keyring.identity(""));
  assert_false(has_leftovers(fresh.path));
}

void first_use_makes_a_ca_and_a_certificate_for_this_host(void**) {
#ifdef __SANITIZE_THREAD__
  skip();  // getaddrinfo_a(3) resolves in a thread of libc's own, unknown to the sanitizer
#endif
  const Scratch scratch;
  const std::string path = scratch / "share/gaiter/keyring";
  const FirstUse first = take(open_or_create(path));
  assert_true(first.made);
  assert_string_equal(take(first.keyring.default_label()).c_str(), "localhost");

  const Entry ca = take(first.keyring.entry("gaiter-ca"));
  assert_true(ca.usage == Usage::ca && ca.trusted && ca.has_key);
  assert_true(common_name(ca.leaf.get()).starts_with("Gaiter CA on "));
  const Identity identity = take(first.keyring.identity(""));
  assert_string_equal(identity.label.c_str(), "localhost");
  assert_int_equal(identity.chain.size(), 0);
  X509* const leaf = identity.leaf.get();
  const HostNames host = host_names();
  for (const std::string& name : host.dns_names) {
    assert_int_equal(X509_check_host(leaf, name.c_str(), 0, 0, nullptr), 1);
  }
  for (const std::string& address : host.ip_addresses) {
    assert_int_equal(X509_check_ip_asc(leaf, address.c_str(), 0), 1);
    assert_false(address.starts_with("fe80:") || address.starts_with("169.254."));
  }
  assert_int_equal(X509_check_host(leaf, "localhost", 0, 0, nullptr), 1);
  assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
  assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
  assert_int_equal(verify(take(first.keyring.trust()), leaf), X509_V_OK);

  const std::string key = get_file(path + "/localhost/key.pem");
  assert_false(take(open_or_create(path)).made);
  assert_true(get_file(path + "/localhost/key.pem") == key);
}

void first_use_finishes_what_was_begun(void**) {
#ifdef __SANITIZE_THREAD__
  skip();  // getaddrinfo_a(3) resolves in a thread of libc's own, unknown to the sanitizer
#endif
  const Scratch scratch;
  const std::string path = scratch / "keyring";
  take(open_or_create(path));
  // As if it had died before the last step, and in the middle of the one before.
  unlink((path + "/keyring.conf").c_str());
  rename((path + "/localhost").c_str(), (path + "/.tmp-entry").c_str());
  const FirstUse again = take(open_or_create(path));
  assert_true(again.made);
  const Identity identity = take(again.keyring.identity(""));
  assert_int_equal(verify(take(again.keyring.trust()), identity.leaf.get()), X509_V_OK);
  assert_false(has_leftovers(path));
}

void first_uses_at_once_make_one_keyring(void**) {
#ifdef __SANITIZE_THREAD__
  skip();  // getaddrinfo_a(3) resolves in a thread of libc's own, unknown to the sanitizer
#endif
  const Scratch scratch;
  const std::string path = scratch / "keyring";
  pid_t children[6];
  for (pid_t& child : children) {
    child = fork();
    if (child != 0) continue;
    const auto first = open_or_create(path);
    if (!first || !first->keyring.identity("")) _exit(100);
    _exit(first->made ? 1 : 0);
  }
  int made = 0;
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    made += WEXITSTATUS(status);
  }
  assert_int_equal(made, 1);
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_next_writer_sweeps_what_a_dead_one_left),
      cmocka_unit_test(a_failure_leaves_the_old_entry),
      cmocka_unit_test(a_killed_writer_leaves_the_old_or_the_new),
      cmocka_unit_test(a_reader_never_sees_a_mixture),
      cmocka_unit_test(writers_at_once_lose_nothing),
      cmocka_unit_test(first_use_makes_a_ca_and_a_certificate_for_this_host),
      cmocka_unit_test(first_use_finishes_what_was_begun),
      cmocka_unit_test(first_uses_at_once_make_one_keyring),
  };
  return cmocka_run_group_tests_name("keyring_crash", tests, nullptr, nullptr);
}
