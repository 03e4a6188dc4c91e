// What the kernel would execute for a program file, and whether a library can be preloaded
// into it (execve(2), elf(5), ld.so(8)).
//
// Allocates nothing and keeps nothing: for signal handlers and vfork children as well.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>

namespace gaiter::base {

// Why the loader would not, or could not, preload libgaiter.so.
enum class Obstacle : uint8_t {
  none,
  unreadable,   // may not be read, so nothing is known of it
  damaged,      // an ELF file that ends amid its headers
  other_width,  // 32-bit, where the library is 64-bit
  other_machine,
  no_loader,   // statically linked
  other_libc,  // its loader is not this machine's glibc's
  go,          // makes its system calls itself
  setuid,      // would run in secure-execution mode, where preloads are ignored
  setgid,
  capabilities,  // of the file
  other_user,    // the caller's real and effective users or groups differ: secure, too
};

// Whether the kernel gives the program rights that its caller has not.
bool gains_rights(Obstacle obstacle);

// Whether its loader cannot load libgaiter.so: glibc's says so, others end the program.
bool rejects_preload(Obstacle obstacle);

// For a person to read: "is statically linked: no library can be preloaded into it".
const char* describe(Obstacle obstacle);

enum class Format : uint8_t { elf, script, other };

// Linux reads this much of a file to find its `#!` line (BINPRM_BUF_SIZE).
inline constexpr size_t script_line_limit = 256;
// execve(2) follows this many `#!` lines before it gives up with ELOOP.
inline constexpr int max_interpreters = 5;

// One file.
struct ProgramFile {
  Format format = Format::other;
  Obstacle obstacle = Obstacle::none;        // of an ELF file
  uint16_t machine = 0;                      // of an ELF file: EM_*
  char loader[256] = "";                     // of an ELF file: PT_INTERP, or its beginning
  char interpreter[script_line_limit] = "";  // of a script
};

// Looks at the file behind `fd`, which is open for reading.
void look_at(int fd, ProgramFile& file);

// The loader of the C library that libgaiter.so works in, without its folder.
extern const char own_loader[];

// What execveat(2) would execute in the end.
struct ProgramImage {
  Obstacle obstacle = Obstacle::none;
  // errno of the first file, or of an interpreter, that cannot be opened for another reason
  // than its mode; the kernel will say the same of it.
  int error = 0;
  bool is_unknown = false;  // neither ELF nor script: ENOEXEC, or for a shell to read
};

// `directory`, `path` and `flags` as execveat(2) takes them.
ProgramImage look_at(int directory, const char* path, int flags);

// Its absolute path, links resolved; as it was named where /proc is not mounted.
void name_program(int directory, const char* path, int flags, char (&name)[PATH_MAX]);

}  // namespace gaiter::base
