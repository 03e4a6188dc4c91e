// Where private keys lie in memory: not in a core dump, and nowhere once released.
#include <openssl/crypto.h>
#include <openssl/rsa.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

enum Outcome { clean, no_key, in_dump_loaded, in_dump_used, in_dump_released };

// The secret numbers of a key, as OpenSSL holds them: least significant word first.
std::vector<std::string> secrets_of(const EVP_PKEY* key) {
  std::vector<std::string> secrets;
  const char* const names[] = {"priv", "d", "rsa-factor1", "rsa-factor2"};
  for (const char* name : names) {
    BIGNUM* number = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1) continue;
    std::string bytes(static_cast<size_t>(BN_num_bytes(number)), '\0');
    BN_bn2lebinpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
                   static_cast<int>(bytes.size()));
    BN_clear_free(number);
    secrets.push_back(bytes);
    secrets.emplace_back(bytes.rbegin(), bytes.rend());  // as in DER
  }
  return secrets;
}

struct Range {
  uintptr_t first, last;
  bool dumped;
};

// The writable memory of this process, and whether a core dump has it (proc(5): "dd").
std::vector<Range> memory() {
  std::vector<Range> ranges;
  std::ifstream maps("/proc/self/smaps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long first = 0, last = 0;
    char mode[5] = "";
    if (sscanf(line.c_str(), "%lx-%lx %4s", &first, &last, mode) == 3 && mode[4] == '\0' &&
        mode[1] != '\0' && line.find('-') < line.find(' ')) {
      ranges.push_back({first, last, mode[0] == 'r' && mode[1] == 'w'});
    } else if (line.starts_with("VmFlags:") && line.contains(" dd") && !ranges.empty()) {
      ranges.back().dumped = false;
    }
  }
  return ranges;
}

// An entry "rsa".
void put_rsa(const Keyring& keyring) {
  const KeyPtr key(EVP_PKEY_Q_keygen(library_context(), nullptr, "RSA", size_t{2048}));
  const CertificatePtr certificate = take(issue(request_for("rsa"), key.get(), nullptr));
  take(import_entry(keyring, "rsa", Usage::personal, to_pem(certificate.get()) + to_pem(key.get()),
                    false));
}

void a_core_dump_has_no_key(void**) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip();  // the sanitizer's own memory has the keys
#endif
  const Fresh fresh;
  take(create_entry(fresh.keyring, request_for("ec")));
  put_rsa(fresh.keyring);
  for (const char* label : {"ec", "rsa"}) {
    // A process of its own, whose memory has never seen the key: this very file.
    const pid_t child = fork();
    if (child == 0) {
      execl("/proc/self/exe", "test_keyring_memory", fresh.path.c_str(), label, nullptr);
      _exit(127);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), clean);
  }
}

void keys_load_without_locked_memory_and_beyond_the_secure_heap(void**) {
  const Fresh fresh;
  put_rsa(fresh.keyring);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_MEMLOCK, &none);
    std::vector<Identity> held;
    for (int i = 0; i < 1000; ++i) {
      auto identity = fresh.keyring.identity("rsa");
      if (!identity) _exit(1);
      held.push_back(*std::move(identity));
    }
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
}

constexpr size_t room = size_t{1} << 16;
constexpr size_t slot = 1024;  // of a secret, whose length is in the last two bytes

// Memory that no core dump has.
char* undumped(int sharing) {
  void* const memory = mmap(nullptr, room, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
  madvise(memory, room, MADV_DONTDUMP);
  return static_cast<char*>(memory);
}

// The secrets to look for, put where the search does not find them, by a process whose
// other memory goes with it. Null on failure.
const char* fetch_secrets(const Keyring& keyring, const std::string& label) {
  char* const shared = undumped(MAP_SHARED);
  const pid_t child = fork();
  if (child == 0) {
    const auto identity = keyring.identity(label);
    if (!identity) _exit(1);
    char* at = shared;
    for (const std::string& secret : secrets_of(identity->key.get())) {
      const auto length = static_cast<uint16_t>(secret.size());
      memcpy(at, secret.data(), length);
      memcpy(at + slot - sizeof length, &length, sizeof length);
      at += slot;
    }
    _exit(at == shared ? 1 : 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status == 0 ? shared : nullptr;
}

// Whether a secret lies in what a core dump would have: read by /proc/self/mem.
bool is_in_dump(const char* secrets) {
  bool found = false;
  const int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  char* const buffer = undumped(MAP_PRIVATE);
  for (const Range& range : memory()) {
    if (!range.dumped) continue;
    for (uintptr_t at = range.first; at < range.last; at += room / 2) {
      const size_t length = std::min<size_t>(room, range.last - at);
      const ssize_t got = pread(fd, buffer, length, static_cast<off_t>(at));
      if (got <= 0) break;
      for (const char* secret = secrets;; secret += slot) {
        uint16_t size = 0;
        memcpy(&size, secret + slot - sizeof size, sizeof size);
        if (size == 0) break;
        found |= memmem(buffer, static_cast<size_t>(got), secret, size) != nullptr;
      }
    }
  }
  munmap(buffer, room);
  close(fd);
  return found;
}

bool sign(EVP_PKEY* key) {
  unsigned char signature[1024];
  size_t length = sizeof signature;
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const auto* const message = reinterpret_cast<const unsigned char*>("message");
  const bool done = EVP_DigestSignInit_ex(context, nullptr, "SHA256", library_context(), nullptr,
                                          key, nullptr) == 1 &&
                    EVP_DigestSign(context, signature, &length, message, 7) == 1;
  EVP_MD_CTX_free(context);
  return done;
}

// What a_core_dump_has_no_key() starts.
Outcome search(const std::string& path, const std::string& label) {
  const Keyring keyring = take(Keyring::open(path));
  const char* const secrets = fetch_secrets(keyring, label);
  auto identity = keyring.identity(label);
  if (secrets == nullptr || !identity) return no_key;
  if (is_in_dump(secrets)) return in_dump_loaded;
  if (!sign(identity->key.get())) return no_key;
  if (is_in_dump(secrets)) return in_dump_used;
  identity->key.reset();
  return is_in_dump(secrets) ? in_dump_released : clean;
}

}  // namespace
}  // namespace gaiter::keyring

int main(int argc, char** argv) {
  using namespace gaiter::keyring;
  if (argc == 3) return search(argv[1], argv[2]);
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_core_dump_has_no_key),
      cmocka_unit_test(keys_load_without_locked_memory_and_beyond_the_secure_heap),
  };
  return cmocka_run_group_tests_name("keyring_memory", tests, nullptr, nullptr);
}
