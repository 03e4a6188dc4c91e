#include "parity.h"

enum { bulk = 64 << 20 };

struct flow {
  int fd;
  uint64_t bytes, sum;
};

static void* send_flow(void* argument) {
  struct flow* flow = argument;
  static __thread uint8_t data[70000];
  for (uint64_t sent = 0; sent < flow->bytes;) {
    size_t size = 1 + (size_t)(sent * 7 % sizeof data);
    if (size > flow->bytes - sent) size = (size_t)(flow->bytes - sent);
    for (size_t i = 0; i < size; i += 251) data[i] = (uint8_t)(sent + i);
    if (!write_exactly(flow->fd, data, size)) break;
    flow->sum = checksum(flow->sum, data, size < 1000 ? size : 1000);
    flow->sum += size;
    sent += size;
  }
  shutdown(flow->fd, SHUT_WR);
  return NULL;
}

static void* receive_flow(void* argument) {
  struct flow* flow = argument;
  static __thread uint8_t data[70000];
  for (uint64_t came = 0;;) {
    size_t size = 1 + (size_t)(came * 7 % sizeof data);
    size_t got = read_exactly(flow->fd, data, size);
    flow->sum = checksum(flow->sum, data, got < 1000 ? got : 1000);
    flow->sum += got;
    came += got;
    if (got < size) break;
  }
  return NULL;
}

static void full_duplex(int fd, bool subject) {
  struct flow out = {fd, bulk, 0}, in = {fd, bulk, 0};
  if (!subject) hand_over();
  pthread_t writer, reader;
  pthread_create(&writer, NULL, send_flow, &out);
  pthread_create(&reader, NULL, receive_flow, &in);
  pthread_join(writer, NULL);
  pthread_join(reader, NULL);
  if (!subject) {
    report(out.sum);
    report(in.sum);
    await_turn();
    return;
  }
  uint64_t theirs_out = reported(), theirs_in = reported();
  say("%s %s", theirs_in == out.sum ? "same" : "other", theirs_out == in.sum ? "same" : "other");
  hand_over();
}

static void* echo(void* argument) {
  int fd = (int)(intptr_t)argument;
  char data[5000];
  for (ssize_t got; (got = read(fd, data, sizeof data)) > 0;)
    if (!write_exactly(fd, data, (size_t)got)) break;
  close(fd);
  return NULL;
}

static void* ask(void* argument) {
  uint64_t* wrong = argument;
  for (int round = 0; round < 4; ++round) {
    int fd = make_client(port);
    uint8_t out[5000], in[5000];
    for (int i = 0; i < 20; ++i) {
      fill_stream(out, sizeof out, (uint64_t)(i + round));
      if (!write_exactly(fd, out, sizeof out) || read_exactly(fd, in, sizeof in) != sizeof in ||
          memcmp(in, out, sizeof in) != 0) {
        ++*wrong;
      }
    }
    shutdown(fd, SHUT_WR);
    if (read(fd, in, 1) != 0) ++*wrong;
    close(fd);
  }
  return NULL;
}

static void many_sockets(int unused, bool subject) {
  (void)unused;
  enum { threads = 8, connections = threads * 4 };
  if (is_server) {
    int listener = make_listener(&port);
    hand_over();
    pthread_t thread[connections];
    for (int i = 0; i < connections; ++i) {
      int fd = accept(listener, NULL, NULL);
      pthread_create(&thread[i], NULL, echo, (void*)(intptr_t)fd);
    }
    for (int i = 0; i < connections; ++i) pthread_join(thread[i], NULL);
    close(listener);
    await_turn();
    if (subject) say("served");
    if (subject) hand_over();
    return;
  }
  await_turn();
  pthread_t thread[threads];
  uint64_t wrong[threads] = {0}, all = 0;
  for (int i = 0; i < threads; ++i) pthread_create(&thread[i], NULL, ask, &wrong[i]);
  for (int i = 0; i < threads; ++i) {
    pthread_join(thread[i], NULL);
    all += wrong[i];
  }
  if (subject) say("wrong %lu", (unsigned long)all);
  hand_over();
  if (!subject) await_turn();
}

static void* blocked_read(void* argument) {
  char data[10];
  return (void*)(intptr_t)read((int)(intptr_t)argument, data, sizeof data);
}

static void shutdown_wakes(int fd, bool subject) {
  if (!subject) {
    yield();
    return;
  }
  pthread_t thread;
  pthread_create(&thread, NULL, blocked_read, (void*)(intptr_t)fd);
  nap(100);
  tell("shutdown", shutdown(fd, SHUT_RDWR));
  void* got;
  pthread_join(thread, &got);
  say("%ld", (long)(intptr_t)got);
  hand_over();
}

static void close_while_blocked(int fd, bool subject) {
  if (!subject) {
    hand_over();
    nap(300);
    write_exactly(fd, "data", 4);
    await_turn();
    return;
  }
  pthread_t thread;
  pthread_create(&thread, NULL, blocked_read, (void*)(intptr_t)fd);
  nap(100);
  tell("close", close(fd));
  void* got;
  pthread_join(thread, &got);
  say("%ld", (long)(intptr_t)got);
  hand_over();
}

static void* endless_send(void* argument) {
  static char data[100000];
  while (write((int)(intptr_t)argument, data, sizeof data) > 0) {
  }
  return NULL;
}

static void cancels(int fd, bool subject) {
  if (!subject) {
    yield();
    write_exactly(fd, "abc", 3);
    await_turn();
    return;
  }
  pthread_t thread;
  void* result;
  for (int i = 0; i < 3; ++i) {
    pthread_create(&thread, NULL, blocked_read, (void*)(intptr_t)fd);
    nap(50);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    say("%s", result == PTHREAD_CANCELED ? "cancelled" : "ended");
  }
  hand_over();
  char data[10];
  tell("read", (long)read_exactly(fd, data, 3));
  tell("write", write(fd, "x", 1));
  tell("close", close(fd));
  hand_over();
}

static void cancels_send(int fd, bool subject) {
  small_buffers(fd);
  if (!subject) {
    yield();
    return;
  }
  pthread_t thread;
  void* result;
  pthread_create(&thread, NULL, endless_send, (void*)(intptr_t)fd);
  nap(200);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  say("%s", result == PTHREAD_CANCELED ? "cancelled" : "ended");
  char data[10];
  tell("read", recv(fd, data, 10, MSG_DONTWAIT));
  tell("close", close(fd));
  hand_over();
}

static void two_readers(int fd, bool subject) {
  if (!subject) {
    hand_over();
    nap(200);
    write_exactly(fd, "a", 1);
    nap(200);
    write_exactly(fd, "b", 1);
    await_turn();
    return;
  }
  pthread_t one, two;
  pthread_create(&one, NULL, blocked_read, (void*)(intptr_t)fd);
  pthread_create(&two, NULL, blocked_read, (void*)(intptr_t)fd);
  void *first, *second;
  pthread_join(one, &first);
  pthread_join(two, &second);
  say("%ld %ld", (long)(intptr_t)first, (long)(intptr_t)second);
  hand_over();
}

const struct scenario thread_cases[] = {{"full_duplex", full_duplex, false},
                                        {"many_sockets", many_sockets, true},
                                        {"shutdown_wakes", shutdown_wakes, false},
                                        {"close_while_blocked", close_while_blocked, false},
                                        {"cancels", cancels, false},
                                        {"cancels_send", cancels_send, false},
                                        {"two_readers", two_readers, false},
                                        {0}};
