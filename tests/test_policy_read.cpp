// Where policies are read from, and which files are refused.
#include "policy/read.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

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

constexpr char section[] = "inbound = { };";
constexpr uid_t somebody = 65534;

void both_layouts_and_single_files(void**) {
  Folder root;
  root.write("gaiter.conf", "rules = ( { direction = \"inbound\"; } );");
  for (const char* name : {"policy.d/6379.conf", "policy.d/80.conf", "policy.d/65535.conf"})
    root.write(name, section);
  const std::string wanted =
      "gaiter.conf:rule 1 80.conf:inbound 6379.conf:inbound 65535.conf:inbound ";
  expect(rule_names({root.path(), ""}), wanted);
  expect(rule_names({root.path() + "//", ""}), wanted);
  expect(rule_names({root.path("policy.d"), ""}),
         "80.conf:inbound 6379.conf:inbound 65535.conf:inbound ");
  expect(rule_names({root.path("policy.d/80.conf"), ""}), "80.conf:inbound ");
  expect(rule_names({root.path("gaiter.conf"), ""}), "gaiter.conf:rule 1 ");
  root.write("other", "rules = ( { direction = \"outbound\"; } );");
  expect(rule_names({root.path("other"), ""}), "other:rule 1 ");
  root.write("policy.d/gaiter.conf", "x");
  expect(rule_names({root.path("other"), "rules = ( { direction = \"inbound\"; } );"}),
         "rule 1 other:rule 1 ");

  Folder flat;
  flat.write("7.conf", section);
  flat.write("gaiter.conf", "rules = ( { direction = \"inbound\"; } );");
  expect(rule_names({flat.path(), ""}), "gaiter.conf:rule 1 7.conf:inbound ");

  expect(rule_names({"", ""}), "");
}

void what_editors_leave_behind_is_ignored(void**) {
  Folder folder;
  folder.write("policy.d/80.conf", section);
  for (const char* name : {"81.conf~", ".82.conf", ".#83.conf", "#84.conf#", "85.conf.bak",
                           "86.conf.dpkg-new", ".87.conf.swp", "README"})
    folder.write(std::string("policy.d/") + name, "not a policy");
  expect(check({folder.path(), ""}), "");
  expect(rule_names({folder.path(), ""}), "80.conf:inbound ");
}

void names_that_are_no_port(void**) {
  const std::string wants = ": the name of this file must be a port, as in 6379.conf: ";
  const std::pair<const char*, const char*> mistakes[] = {
      {"redis.conf", "\"redis\" is not a number (rules for all ports belong in gaiter.conf)"},
      {"6379x.conf", "\"6379x\" is not a number (rules for all ports belong in gaiter.conf)"},
      {"gaiter.conf", "\"gaiter\" is not a number (rules for all ports belong in gaiter.conf)"},
      {"-1.conf", "\"-1\" is not a number (rules for all ports belong in gaiter.conf)"},
      {"0.conf", "ports are 1 to 65535"},
      {"65536.conf", "ports are 1 to 65535"},
      {"99999999999999999999.conf", "ports are 1 to 65535"},
      {"0080.conf", "call it 80.conf"},
  };
  for (const auto& [name, error] : mistakes) {
    Folder folder;
    const std::string file = folder.write(std::string("policy.d/") + name, section);
    expect(check({folder.path(), ""}), file + wants + error + "\n");
  }
  Folder folder;
  const std::string file = folder.write("70000.conf", section);
  expect(check({file, ""}), file + wants + "ports are 1 to 65535\n");
}

void one_file_for_a_port(void**) {
  Folder folder;
  const std::string first = folder.write("80.conf", section);
  const std::string second = folder.write("policy.d/80.conf", section);
  expect(check({folder.path(), ""}),
         second + ": port 80 has a policy already, " + first + "; remove one of the two\n");
}

void what_is_not_there(void**) {
  Folder folder;
  const std::string missing = folder.path("missing");
  expect(check({missing, ""}), missing + ": cannot be opened: No such file or directory\n");
  expect(check({missing + "/80.conf", ""}),
         missing + ": cannot be opened: No such file or directory\n");
  expect(check({folder.path(), ""}),
         folder.path() + ": holds no policy: neither gaiter.conf, policy.d nor a <port>.conf\n");
  mkdir(folder.path("policy.d").c_str(), 0755);
  expect(check({folder.path(), ""}), "");
  symlink("nowhere", folder.path("policy.d/80.conf").c_str());
  expect(check({folder.path(), ""}),
         folder.path("policy.d/80.conf") + ": cannot be opened: No such file or directory\n");
}

void loose_modes(void**) {
  Folder folder;
  const std::string file = folder.write("policy.d/80.conf", section);
  const std::string ports = folder.path("policy.d");
  const Source source{folder.path(), ""};
  chmod(file.c_str(), 0664);
  expect(check(source), file + ": can be written by its group: chmod go-w " + file + "\n");
  chmod(file.c_str(), 0646);
  expect(check(source), file + ": can be written by everybody: chmod go-w " + file + "\n");
  chmod(file.c_str(), 0644);
  chmod(ports.c_str(), 01777);
  expect(check(source), ports + ": can be written by everybody: chmod go-w " + ports + "\n");
  chmod(ports.c_str(), 0755);
  chmod(folder.path().c_str(), 0770);
  expect(check(source),
         folder.path() + ": can be written by its group: chmod go-w " + folder.path() + "\n");
  chmod(folder.path().c_str(), 0700);
  expect(check(source), "");
}

void wrong_owners(void**) {
  if (geteuid() != 0) skip();
  Folder folder;
  const std::string file = folder.write("policy.d/80.conf", section);
  const Source source{folder.path(), ""};
  const std::string blame =
      ": belongs to user 65534, who could change it; it must belong to root: chown root ";
  assert_int_equal(chown(file.c_str(), somebody, somebody), 0);
  expect(check(source), file + blame + file + "\n");

  // The same file is that user's own, and root's directory is fine with it.
  chmod(folder.path().c_str(), 0755);
  assert_int_equal(seteuid(somebody), 0);
  expect(check(source), "");
  assert_int_equal(seteuid(0), 0);

  // A link is as good as what it leads to.
  symlink("80.conf", folder.path("policy.d/81.conf").c_str());
  expect(check(source), file + blame + file + "\n" + folder.path("policy.d/81.conf") + blame +
                            folder.path("policy.d/81.conf") + "\n");
  assert_int_equal(chown(file.c_str(), 0, 0), 0);
  expect(check(source), "");

  chmod(file.c_str(), 0600);
  assert_int_equal(seteuid(somebody), 0);
  const std::string denied = ": cannot be opened: Permission denied (for user 65534)\n";
  expect(check(source), file + denied + folder.path("policy.d/81.conf") + denied);

  // Out of reach is not the same as no policy.
  assert_int_equal(seteuid(0), 0);
  unlink(folder.path("policy.d/81.conf").c_str());
  chmod(folder.path().c_str(), 0744);
  assert_int_equal(seteuid(somebody), 0);
  expect(check(source), folder.path() + ": cannot be opened: Permission denied (for user 65534)\n");
  assert_int_equal(seteuid(0), 0);
}

void files_that_are_none(void**) {
  Folder folder;
  const std::string file = folder.path("80.conf");
  mkdir(file.c_str(), 0755);
  expect(check({folder.path(), ""}), file + ": is not a regular file\n");
  rmdir(file.c_str());
  assert_int_equal(mkfifo(file.c_str(), 0644), 0);
  expect(check({folder.path(), ""}), file + ": is not a regular file\n");
  unlink(file.c_str());
  folder.write("80.conf", section + std::string(max_file_size - strlen(section), '\n'));
  expect(check({folder.path(), ""}), "");
  folder.write("80.conf", std::string(max_file_size + 1, '\n'));
  expect(check({folder.path(), ""}), file + ": is larger than 1 MiB; no policy needs that\n");
}

void no_descriptor_is_left_open(void**) {
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  Folder folder;
  folder.write("gaiter.conf", "");
  folder.write("policy.d/80.conf", section);
  folder.write("policy.d/x.conf", section);
  const auto before = open_files();
  check({folder.path(), ""});
  check({folder.path("80.conf"), ""});
  assert_int_equal(open_files(), before);
}

void the_environment(void**) {
  const bool has_default = access(std::string(default_directory).c_str(), F_OK) == 0;
  const std::string fallback(has_default ? default_directory : "");
  unsetenv("GAITER_POLICY");
  unsetenv("GAITER_POLICY_TEXT");
  expect(Source::from_environment().path, fallback);
  setenv("GAITER_POLICY", "", 1);
  setenv("GAITER_POLICY_TEXT", "", 1);
  expect(Source::from_environment().path, fallback);
  setenv("GAITER_POLICY_TEXT", "a = 1;", 1);
  expect(Source::from_environment().path, "");
  expect(Source::from_environment().text, "a = 1;");
  setenv("GAITER_POLICY", "/some/where", 1);
  expect(Source::from_environment().path, "/some/where");
  assert_false(Policy::load(Source::from_environment()).has_value());
  unsetenv("GAITER_POLICY");
  unsetenv("GAITER_POLICY_TEXT");
}

// A set-user-ID copy of this program is run, and says what it was told to read.
void secure_execution_ignores_the_environment(void**) {
  if (geteuid() != 0) skip();
  Folder folder;
  chmod(folder.path().c_str(), 0755);
  const std::string copy = folder.path("copy");
  std::filesystem::copy_file("/proc/self/exe", copy);
  const auto run = [&copy](mode_t mode) {
    if (chown(copy.c_str(), somebody, somebody) != 0 || chmod(copy.c_str(), mode) != 0) abort();
    const pid_t child = fork();
    if (child == 0) {
      setenv("GAITER_POLICY", "/some/where", 1);
      execl(copy.c_str(), copy.c_str(), "--source-is-some-where", nullptr);
      _exit(99);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  assert_int_equal(run(0755), 1);
  assert_int_equal(run(04755), 0);
}

// Whoever may write a directory above can put another in the policy's place.
void folders_above(void**) {
  Folder folder;
  const std::string file = folder.write("a/b/80.conf", section);
  const std::string above = folder.path("a");
  const Source source{folder.path("a/b"), ""};
  expect(check(source), "");
  chmod(above.c_str(), 0777);
  const std::string loose = above + ": can be written by everybody: chmod go-w " + above + "\n";
  expect(check(source), loose);
  expect(check({file, ""}), loose);
  chmod(above.c_str(), 01777);  // as /tmp is
  expect(check(source), "");
  chmod(above.c_str(), 0775);
  expect(check(source), above + ": can be written by its group: chmod go-w " + above + "\n");
  chmod(above.c_str(), 0755);
  if (geteuid() != 0) return;
  assert_int_equal(chown(above.c_str(), somebody, somebody), 0);
  expect(check(source), above +
                            ": belongs to user 65534, who could change it; it must "
                            "belong to root: chown root " +
                            above + "\n");
}

// Links lead to where they say, past the same checks.
void links_on_the_way(void**) {
  Folder folder;
  folder.write("real/b/80.conf", section);
  symlink("real", folder.path("link").c_str());
  symlink(folder.path("link/b").c_str(), folder.path("deep").c_str());
  symlink("b/../b/80.conf", folder.path("real/81.conf").c_str());
  symlink("loop", folder.path("loop").c_str());
  const std::string names = "80.conf:inbound ";
  expect(rule_names({folder.path("link/b"), ""}), names);
  expect(rule_names({folder.path("deep"), ""}), names);
  expect(rule_names({folder.path("deep/../b/."), ""}), names);
  expect(rule_names({folder.path("deep/80.conf"), ""}), names);
  expect(rule_names({folder.path("link/81.conf"), ""}), "81.conf:inbound ");
  expect(rule_names({folder.path("loop/80.conf"), ""}),
         folder.path("loop") + ": cannot be opened: Too many levels of symbolic links");
  chmod(folder.path("real/b").c_str(), 0777);
  const std::string b = folder.path("real/b");
  expect(rule_names({folder.path("link/81.conf"), ""}),
         b + ": can be written by everybody: chmod go-w " + b);
  chmod(b.c_str(), 0755);
  if (geteuid() != 0) return;
  assert_int_equal(lchown(folder.path("link").c_str(), somebody, somebody), 0);
  const std::string blame = ": belongs to user 65534, who could change it; it must belong ";
  expect(rule_names({folder.path("deep"), ""}),
         folder.path("link") + blame + "to root: chown -h root " + folder.path("link"));
}

// Somebody exchanges a file while it is read: the good one is read, or none.
void a_file_that_is_exchanged_meanwhile(void**) {
  Folder folder;
  folder.write("policy/80.conf", section);
  folder.write("forged", "outbound = { tls = \"off\"; };");
  chmod(folder.path("forged").c_str(), 0666);
  const std::string file = folder.path("policy/80.conf"), good = folder.path("good"),
                    link = folder.path("link");
  std::atomic<bool> done = false;
  std::thread attacker([&] {
    while (!done) {
      folder.write("good", section);
      rename(good.c_str(), file.c_str());
      symlink(folder.path("forged").c_str(), link.c_str());
      rename(link.c_str(), file.c_str());
    }
  });
  for (int i = 0; i < 2000; i++) {
    const auto policy = Policy::load({folder.path("policy"), ""});
    if (policy) expect(policy->rules().at(0).name, "80.conf:inbound");
  }
  done = true;
  attacker.join();
}

void relative_to_the_working_directory(void**) {
  Folder folder;
  folder.write("p/80.conf", section);
  char before[4096];
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(folder.path("p").c_str()), 0);
  for (const char* path : {".", "../p", "80.conf", "./80.conf", "../p/80.conf"})
    expect(rule_names({path, ""}), "80.conf:inbound ");
  assert_int_equal(chdir(before), 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--source-is-some-where") == 0)
    _exit(Source::from_environment().path == "/some/where");  // at once: no leak check
  const CMUnitTest tests[] = {
      cmocka_unit_test(both_layouts_and_single_files),
      cmocka_unit_test(what_editors_leave_behind_is_ignored),
      cmocka_unit_test(names_that_are_no_port),
      cmocka_unit_test(one_file_for_a_port),
      cmocka_unit_test(what_is_not_there),
      cmocka_unit_test(loose_modes),
      cmocka_unit_test(wrong_owners),
      cmocka_unit_test(folders_above),
      cmocka_unit_test(links_on_the_way),
      cmocka_unit_test(a_file_that_is_exchanged_meanwhile),
      cmocka_unit_test(relative_to_the_working_directory),
      cmocka_unit_test(files_that_are_none),
      cmocka_unit_test(no_descriptor_is_left_open),
      cmocka_unit_test(the_environment),
      cmocka_unit_test(secure_execution_ignores_the_environment),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
