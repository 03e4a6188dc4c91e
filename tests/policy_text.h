// Loading a policy from text in a test, and the errors that it must give.
#pragma once

#include <string>

#include "policy/policy.h"
#include "tests/policy_folder.h"

extern "C" {
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
}

namespace gaiter::policy {

inline void expect(const std::string& got, const std::string& wanted) {
  assert_string_equal(got.c_str(), wanted.c_str());
}

inline Policy load_text(const std::string& text) {
  auto policy = Policy::load({"", text});
  if (!policy) fail_msg("%s", policy.error().text().c_str());
  return std::move(*policy);
}

// The policy of a file named 6379.conf.
inline Policy load_port(const std::string& text) {
  Folder folder;
  auto policy = Policy::load({folder.write("6379.conf", text), ""});
  if (!policy) fail_msg("%s", policy.error().text().c_str());
  return std::move(*policy);
}

inline void expect_error(const Source& source, const std::string& text, const std::string& error) {
  const std::string got = check(source);
  if (got != error + "\n")
    fail_msg("for: %s\ngot:    %swanted: %s", text.c_str(), got.c_str(), error.c_str());
  assert_false(Policy::load(source).has_value());
}

// `error` begins with the line: "2: tls = ...".
inline void expect_text_error(const std::string& text, const std::string& error) {
  expect_error({"", text}, text, "GAITER_POLICY_TEXT:" + error);
}

inline void expect_port_error(const std::string& text, const std::string& error) {
  Folder folder;
  const std::string file = folder.write("6379.conf", text);
  expect_error({file, ""}, text, file + ":" + error);
}

}  // namespace gaiter::policy
