// The names that the build gives to stdin, stdout and stderr inside libconfig
// (see the Makefile). They stay null: policies are parsed from memory, and
// libconfig uses these streams only for defaults that are never reached.
#include <cstdio>

extern "C" {
extern FILE* gaiter_stdin;
extern FILE* gaiter_stdout;
extern FILE* gaiter_stderr;
FILE* gaiter_stdin = nullptr;
FILE* gaiter_stdout = nullptr;
FILE* gaiter_stderr = nullptr;
}
