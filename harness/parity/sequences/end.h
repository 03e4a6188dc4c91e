// One end of a sequence: a process that performs operations on its connection, as told.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// A connection's slots: its descriptor and, behind it, duplicates.
enum { connections = 2, of_each = 4, slots = connections * of_each, largest = 1 << 20 };

extern int fds[slots];                 // -1: not in use
extern int epoll_fd;                   // -1: none yet
extern int outer_fd;                   // an epoll set that holds the other one
extern uint64_t sent[connections];     // bytes: numbered, so that none can be taken for another
extern unsigned patience;              // seconds an operation may take
extern _Thread_local uint8_t* buffer;  // `largest` bytes
extern _Thread_local char answer[4096];

// end.c: an operation in words, what it gave behind `answer`; and the end's whole life.
void perform(char* text);
int run_end(uint16_t port, const char* role);

// say.c: appends to `answer`.
void say(const char* format, ...) __attribute__((format(printf, 1, 2)));
void say_result(ssize_t result);
void say_data(ssize_t result, const uint8_t* data);

// calls.c: system calls, and what they gave.
void do_send(const char* how, int slot, size_t length, int flags);
void do_receive(const char* how, int fd, size_t length, int flags);
void do_poll(int fd, int events, int timeout);
void do_poll_all(int events);
void do_select(int fd, bool waits);
void do_epoll(const char* what, int slot, unsigned events);
void do_outer(void);
void do_query(const char* what, int fd);

// task.c: an operation in another thread.
void begin_task(const char* text);
void end_task(void);
void let_task_sleep(void);
void interrupt_task(bool restarts);
