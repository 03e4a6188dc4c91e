// What an operation gave, as words.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "end.h"

void say(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t used = strlen(answer);
  vsnprintf(answer + used, sizeof answer - used, format, arguments);
  va_end(arguments);
}

void say_result(ssize_t result) {
  if (result < 0)
    say(" -1 %s", strerrorname_np(errno));
  else
    say(" %zd", result);
}

static uint32_t digest(const uint8_t* data, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ data[i]) * 16777619u;
  return hash;
}

void say_data(ssize_t result, const uint8_t* data) {
  say_result(result);
  if (result > 0) say(" #%08x", digest(data, (size_t)result));
}
