// Which programs a library can be preloaded into, by files made for it.
#include "base/program_image.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "tests/policy_folder.h"

extern "C" {
#include <cmocka.h>
}

namespace gaiter::base {
namespace {

using policy::Folder;

#if defined(__x86_64__)
constexpr Elf64_Half this_machine = EM_X86_64, other_machine = EM_AARCH64;
#else
constexpr Elf64_Half this_machine = EM_AARCH64, other_machine = EM_X86_64;
#endif

// An ELF file with one program header, for `loader`; "" has none.
std::string elf(const std::string& loader, Elf64_Half machine = this_machine) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_machine = machine;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = loader.empty() ? PT_LOAD : PT_INTERP;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_filesz = loader.size() + 1;
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) +
         std::string(reinterpret_cast<const char*>(&segment), sizeof segment) + loader + '\0';
}

ProgramImage look(Folder& folder, const std::string& name, const std::string& content) {
  const std::string path = folder.write(name, content);
  chmod(path.c_str(), 0755);
  return look_at(AT_FDCWD, path.c_str(), 0);
}

void elf_files(void**) {
  Folder folder;
  const std::string ours = std::string("/lib64/") + own_loader;
  assert_true(look(folder, "ours", elf(ours)).obstacle == Obstacle::none);
  assert_true(look(folder, "static", elf("")).obstacle == Obstacle::no_loader);
  assert_true(look(folder, "musl", elf("/lib/ld-musl.so.1")).obstacle == Obstacle::other_libc);
  assert_true(look(folder, "machine", elf(ours, other_machine)).obstacle ==
              Obstacle::other_machine);
  std::string narrow = elf(ours);
  narrow[EI_CLASS] = ELFCLASS32;
  assert_true(look(folder, "narrow", narrow).obstacle == Obstacle::other_width);
  // Every way in which its headers may be cut off.
  const std::string whole = elf(ours);
  for (size_t length = SELFMAG; length < sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr); ++length) {
    assert_true(look(folder, "cut", whole.substr(0, length)).obstacle != Obstacle::none);
  }
  assert_true(look(folder, "long", elf(std::string(5000, '/') + own_loader)).obstacle ==
              Obstacle::other_libc);
  // Any nonsense is looked at and survived.
  unsigned seed = 7;
  for (int round = 0; round < 2000; ++round) {
    std::string broken = whole;
    for (int i = 0; i < 3; ++i) {
      seed = seed * 1664525 + 1013904223;
      broken[SELFMAG + (seed >> 8) % (broken.size() - SELFMAG)] = static_cast<char>(seed >> 24);
    }
    look(folder, "broken", broken);
  }
}

void scripts(void**) {
  Folder folder;
  look(folder, "static", elf(""));
  const std::string path = folder.path() + "/static";
  assert_true(look(folder, "a", "#!" + path + "\n").obstacle == Obstacle::no_loader);
  assert_true(look(folder, "b", "#! \t" + path + " -x y\n").obstacle == Obstacle::no_loader);
  assert_true(look(folder, "c", "#!" + folder.path() + "/b").obstacle == Obstacle::no_loader);
  assert_true(look(folder, "d", "#!" + folder.path() + "/d\n").obstacle == Obstacle::none);
  assert_int_equal(look(folder, "e", "#!/nowhere/at-all\n").error, ENOENT);
  assert_true(look(folder, "f", "echo\n").is_unknown);
  assert_true(look(folder, "g", "").is_unknown);
  assert_true(look(folder, "h", "#!" + std::string(400, 'x')).error != 0);
}

void as_execveat_takes_it(void**) {
  Folder folder;
  look(folder, "static", elf(""));
  const int directory = open(folder.path().c_str(), O_PATH | O_CLOEXEC);
  assert_true(look_at(directory, "static", 0).obstacle == Obstacle::no_loader);
  const int fd = openat(directory, "static", O_PATH | O_CLOEXEC);
  assert_true(look_at(fd, "", AT_EMPTY_PATH).obstacle == Obstacle::no_loader);
  char name[PATH_MAX];
  name_program(fd, "", AT_EMPTY_PATH, name);
  assert_string_equal(name, (folder.path() + "/static").c_str());
  close(fd);
  close(directory);
  assert_true(look_at(-1, "", AT_EMPTY_PATH).error != 0);
}

}  // namespace
}  // namespace gaiter::base

int main() {
  using namespace gaiter::base;
  const CMUnitTest tests[] = {
      cmocka_unit_test(elf_files),
      cmocka_unit_test(scripts),
      cmocka_unit_test(as_execveat_takes_it),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
