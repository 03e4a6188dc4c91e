"""gaiter check --program: what can be known of a program before it is started."""

import json
import os
import pwd
import shutil
import subprocess

import pytest

from harness.cli.command import run

pytestmark = pytest.mark.tls_only


def compiled(place, name, source, *options):
    program = os.path.join(place, name)
    subprocess.run(["gcc", "-O2", "-Wall", "-o", program, "-x", "c", "-", *options], check=True,
                   input=source, text=True)
    return program


@pytest.mark.parametrize("program", ["redis-server", "nginx", "memcached", "socat"])
def test_real_programs_are_covered(program):
    result = run("check", "--program", program)
    assert result.code == 0, (result.out, result.err)
    assert f"{shutil.which(program)}: can be protected" in result.out
    covered = result.out.partition("  covered: ")[2].partition("\n")[0].split()
    assert {"connect", "listen", "socket", "close", "setsockopt"} <= set(covered)


def test_a_script_is_checked_as_its_interpreter(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    report = json.loads(run("check", "--program", script, "--json").out)
    assert report["program"] == str(script)
    assert os.path.samefile(report["binary"], "/bin/sh")


def test_a_static_program_cannot_be_protected():
    run("check", "--program", "busybox").refused("busybox", "statically linked")


def test_a_setuid_program_cannot_be_protected_for_another_user(tmp_path):
    copy = tmp_path / "su"
    shutil.copy("/bin/su", copy)
    nobody = pwd.getpwnam("nobody")
    os.chown(copy, nobody.pw_uid, nobody.pw_gid)
    copy.chmod(0o4755)
    run("check", "--program", copy).refused("setuid")


def test_a_program_that_is_not_there():
    run("check", "--program", "no-such-program").refused("no such program", code=127)


RAW = """
#include <sys/syscall.h>
int main(void) {
  long result;
  __asm__ volatile("syscall" : "=a"(result)
                   : "a"(SYS_write), "D"(5), "S"("xy"), "d"(2) : "rcx", "r11", "memory");
  return result == 2;
}
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="its instruction")
def test_system_calls_past_libc_are_seen(tmp_path):
    program = compiled(tmp_path, "raw", RAW)
    result = run("check", "--program", program)
    assert result.code == 1
    assert f"perhaps past libc: write in {program}\n" in result.out


def test_those_of_a_library_too(tmp_path):
    library = compiled(tmp_path, "libraw.so", RAW.replace("int main", "int raw"), "-shared",
                       "-fPIC")
    program = compiled(tmp_path, "program", "int raw(void); int main(void) { return raw(); }",
                       "-L", tmp_path, "-lraw", f"-Wl,-rpath,{tmp_path}")
    report = json.loads(run("check", "--program", program, "--json").out)
    assert {"path": library, "raw_system_calls": ["write"]} in report["files"]
    assert not report["uses_tcp"] and report["libraries_known"]


def test_what_libc_does_behind_the_hooks_is_told(tmp_path):
    program = compiled(tmp_path, "remote", """
#include <netdb.h>
#include <stdio.h>
int main(int count, char** words) {
  printf("%d\\n", rcmd(&words[0], 514, "me", "you", "true", 0));
  return count;
}
""", "-Wno-discarded-qualifiers", "-D_DEFAULT_SOURCE")
    result = run("check", "--program", program)
    assert result.code == 1 and "  not covered: rcmd (" in result.out


def test_a_library_that_is_missing_is_told(tmp_path):
    compiled(tmp_path, "libgone.so", "int gone(void) { return 0; }", "-shared", "-fPIC")
    program = compiled(tmp_path, "program", "int gone(void); int main(void) { return gone(); }",
                       "-L", tmp_path, "-lgone")
    result = run("check", "--program", program)
    assert result.code == 1 and "could not be listed" in result.out
