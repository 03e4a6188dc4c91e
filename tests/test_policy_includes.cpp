// Policy files that include others, and bounds to that.
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "policy/policy.h"
#include "policy/source.h"
#include "tests/policy_folder.h"
#include "tests/policy_text.h"

extern "C" {
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
}

using namespace gaiter::policy;

namespace {

void includes(void**) {
  Folder folder;
  const std::string conf = folder.write("gaiter.conf",
                                        "@include \"globals.inc\"\n"
                                        "rules = ( @include \"inc/rules.inc\",\n"
                                        "  { name = \"last\"; direction = \"inbound\"; } );\n");
  folder.write("globals.inc", "unmatched = \"block\"; defaults = { @include \"inc/empty\" };");
  folder.write("inc/empty", "# nothing\n");
  const std::string rules = folder.write(
      "inc/rules.inc", "{ name = \"first\";\n direction = \"inbound\"; @include \"tls.inc\" }");
  const std::string tls = folder.write("inc/tls.inc", "\ntls = \"off\"; local_ports = 5");
  const Source source{folder.path(), ""};
  expect(rule_names(source), "first last ");
  const auto policy = Policy::load(source);
  assert_true(policy->unmatched() == Unmatched::block);
  assert_int_equal(policy->files().size(), 5);
  expect(policy->rules()[0].file, rules);
  expect(policy->effective(policy->rules()[0])[0].origin, tls + ":2");

  folder.write("inc/tls.inc", "\n tls = \"of\";");
  expect(check(source), tls + ":2: tls = \"of\": unknown value; did you mean \"off\"?\n");
  folder.write("inc/tls.inc", "tls = \"off\";\n name = \"again\";");
  expect(check(source), tls + ":2: name: set twice; the first is on line 1 of another file\n");
  folder.write("inc/tls.inc", "tls = \"off\"; }");
  expect(check(source), tls + ":1: nothing is open that this } could close\n");
  folder.write("inc/tls.inc", "@include \"tls.inc\"");
  expect(check(source), tls + ":1: @include \"tls.inc\": files include each other too deep\n");
  folder.write("inc/tls.inc", "");
  chmod(tls.c_str(), 0666);
  expect(check(source), rules + ":2: @include \"tls.inc\": " + tls +
                            ": can be written by everybody: chmod go-w " + tls + "\n");
  unlink(tls.c_str());
  expect(check(source), rules + ":2: @include \"tls.inc\": " + tls +
                            ": cannot be opened: No such file or directory\n");
  expect(check({"", "@include \"a\""}),
         "GAITER_POLICY_TEXT:1: @include \"a\": a text has no folder; expected an absolute path\n");
  expect(check({"", "@include \"" + folder.path("globals.inc") + "\""}), "");
}

// Many files that include many files are bounded in number, not only in depth.
void includes_without_end(void**) {
  Folder folder;
  folder.write("gaiter.conf", "rules = ( @include \"0\" );");
  for (int depth = 0; depth < 8; depth++) {
    std::string text;
    for (int i = 0; i < 10; i++)
      text += std::string(i == 0 ? "" : ",") + "@include \"" + std::to_string(depth + 1) + "\"";
    folder.write(std::to_string(depth), depth == 7 ? "" : text);
  }
  const std::string errors = check({folder.path(), ""});
  assert_true(errors.find("more than 256 files are included") != std::string::npos);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(includes),
      cmocka_unit_test(includes_without_end),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
