// A writer that is killed at any moment, thousands of times, and a disk that is full at
// any file, leave a keyring that is whole.
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <time.h>

#include <random>

#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr int rounds = 100;  // each takes twenty times as long
#else
constexpr int rounds = 2000;
#endif

// What the writers write: made once.
struct Material {
  Made one = make(request_for("one"));
  Made two = make(request_for("two"));
  std::string pems[2] = {one.certificate_pem + one.key_pem, two.certificate_pem + two.key_pem};
};

// One change after another, each of another kind, until it is killed. A change that a
// killed one has left half way is taken up where it was.
void change_forever(const Keyring& keyring, const Material& material) {
  for (size_t turn = 0;; ++turn) {
    const std::string label = turn % 2 == 0 ? "a" : "b";
    const std::string other = turn % 2 == 0 ? "b" : "a";
    static_cast<void>(import_entry(keyring, "x", Usage::personal, material.pems[turn % 2], true));
    static_cast<void>(set_trust(keyring, "x", turn % 2 == 0));
    auto renamed = rename_entry(keyring, label, other);
    if (!renamed && renamed.error().kind == Kind::exists) {
      static_cast<void>(
          delete_entry(keyring, take(keyring.default_label()) == label ? other : label));
    }
    static_cast<void>(set_default(keyring, "x"));
    static_cast<void>(delete_entry(keyring, "y"));
    static_cast<void>(import_entry(keyring, "y", Usage::personal, material.pems[turn % 2], false));
    static_cast<void>(rename_entry(keyring, "x", "z"));
    static_cast<void>(rename_entry(keyring, "z", "x"));
    static_cast<void>(delete_entry(keyring, "z"));
    static_cast<void>(import_entry(keyring, "x", Usage::personal, material.pems[turn % 2], true));
    static_cast<void>(set_default(keyring, take(keyring.labels()).front()));
  }
}

// Every entry can be read, the default is one of them, and "a" or "b" has survived.
void assert_whole(const std::string& path) {
  const Keyring keyring = take(Keyring::open(path));
  bool survivor = false;
  for (const Entry& entry : take(keyring.entries())) {
    survivor |= entry.label == "a" || entry.label == "b";
    if (entry.trusted) take(keyring.identity(entry.label));  // its own key
  }
  assert_true(survivor);
  const std::string standard = take(keyring.default_label());
  if (!standard.empty()) take(keyring.entry(standard));
}

// In memory, if that can be: thousands of fsync(2)s.
struct Quick {
  std::string place;
  std::string path;
  Keyring keyring;

  static std::string make_place() {
    char name[] = "/dev/shm/gaiter-test-XXXXXX";
    char slower[] = "/tmp/gaiter-test-XXXXXX";
    const char* made = mkdtemp(name);
    if (made == nullptr) made = mkdtemp(slower);
    return made != nullptr ? made : "/nonexistent";
  }
  Quick() : place(make_place()), path(place + "/keyring"), keyring(take(create_keyring(path))) {}
  ~Quick() { std::filesystem::remove_all(place); }
  Quick(const Quick&) = delete;
  Quick& operator=(const Quick&) = delete;
};

void a_writer_killed_anywhere_leaves_a_whole_keyring(void**) {
  const Quick fresh;
  const Material material;
  take(import_entry(fresh.keyring, "a", Usage::personal, material.pems[0], false));
  take(set_default(fresh.keyring, "a"));
  const auto seed = static_cast<unsigned>(time(nullptr));
  print_message("seed %u\n", seed);
  std::mt19937 chance(seed);
  for (int round = 0; round < rounds; ++round) {
    const pid_t child = fork();
    if (child == 0) change_forever(fresh.keyring, material);
    const timespec nap{0, static_cast<long>(chance() % 2'000'000)};
    nanosleep(&nap, nullptr);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_whole(fresh.path);
  }
  take(import_entry(fresh.keyring, "last", Usage::personal, material.pems[0], true));
  assert_false(has_leftovers(fresh.path));
}

// In a mount namespace of its own, on a file system of `kilobytes`: fills it with entries
// until one does not fit. Returns 0 if all that were made before are whole, and if there
// is room again once one is deleted.
int fill(const std::string& place, unsigned kilobytes, const std::string& pem) {
  const std::string options = "size=" + std::to_string(kilobytes) + "k";
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", place.c_str(), "tmpfs", 0, options.c_str()) != 0) {
    return 77;  // not allowed here
  }
  const auto keyring = create_keyring(place + "/keyring");
  if (!keyring) return 1;
  size_t made = 0;
  for (;; ++made) {
    const auto entry =
        import_entry(*keyring, "e" + std::to_string(made), Usage::personal, pem, false);
    if (entry) continue;
    if (entry.error().kind != Kind::system || !entry.error().message.contains("No space left")) {
      return 2;
    }
    break;
  }
  const auto entries = keyring->entries();
  if (!entries || entries->size() != made || made == 0) return 3;
  for (const Entry& entry : *entries) {
    if (!keyring->identity(entry.label)) return 4;
  }
  if (has_leftovers(keyring->path())) return 5;
  if (!delete_entry(*keyring, "e0")) return 6;
  return import_entry(*keyring, "again", Usage::personal, pem, false) ? 0 : 7;
}

void a_full_disk_leaves_a_whole_keyring(void**) {
  const Material material;
  for (unsigned kilobytes = 40; kilobytes < 72; kilobytes += 4) {
    const Scratch scratch;
    const pid_t child = fork();
    if (child == 0) _exit(fill(scratch / ".", kilobytes, material.pems[0]));
    int status = -1;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
    assert_int_equal(status, 0);
  }
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_writer_killed_anywhere_leaves_a_whole_keyring),
      cmocka_unit_test(a_full_disk_leaves_a_whole_keyring),
  };
  return cmocka_run_group_tests_name("keyring_killed", tests, nullptr, nullptr);
}
