// The headers that the signatures in symbols.def need.
#pragma once

#include <aio.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <wordexp.h>

#include <cstdarg>
#include <cstddef>
#include <cstdio>

#define NO_SYSCALL (-1L)
