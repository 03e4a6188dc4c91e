"""gaiter run: what the program is given, and when it is not started at all."""

import os
import re
import shutil
import struct
import subprocess

import pytest

from harness.cli.command import run
from harness.lib import gaiter

pytestmark = pytest.mark.tls_only
ENV = "/usr/bin/env"
NOBODY = 65534


@pytest.fixture
def keyring(tmp_path):
    return tmp_path / "keyring"


@pytest.fixture
def protected(keyring):
    """gaiter run under a rule that needs nothing but a keyring of the test's own."""
    return lambda *words, **more: run(
        "run", "--quiet", "--keyring", keyring, "--listen", "6390", *words, **more)


@pytest.fixture
def compiled(tmp_path):
    def make(name, *options, source="int main(void) { return 0; }"):
        path = tmp_path / name
        subprocess.run(["gcc", "-x", "c", "-", "-o", path, *options], input=source, text=True,
                       check=True)
        return path
    return make


@pytest.fixture
def script(tmp_path):
    def make(text, name="script"):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
        return path
    return make


def library():
    return os.path.join(os.path.dirname(gaiter.COMMAND), "libgaiter.so")


# ---- what the program gets ----

def test_listen_and_connect_make_the_policy(keyring):
    result = run("run", "--keyring", keyring, "--listen", "6390", "--listen", "7000-7010",
                 "--connect", "5432", "--client-auth", "required", "--allow", "any-trusted",
                 "--strict", "--", ENV)
    assert result.code == 0, result.err
    assert result.variable("LD_PRELOAD") == library()
    assert result.variable("GAITER_POLICY") is None
    text = result.variable("GAITER_POLICY_TEXT")
    assert 'local_ports = (6390, "7000-7010")' in text
    assert 'client_auth = "required"; allow = "any-trusted"' in text
    assert "remote_ports = (5432)" in text and 'verify = "full"' in text
    assert 'unmatched = "block"' in text
    assert f'keyring = "{keyring}"' in text


def test_who_may_connect_is_chosen(keyring):
    words = ["run", "--keyring", keyring, "--listen", "6390", "--client-auth", "required"]
    result = run(*words, "--allow", "dns:*.apps.internal", "--allow", "subject:CN=batch,O=Ops",
                 "--", ENV)
    assert 'allow = ("dns:*.apps.internal", "subject:CN=batch,O=Ops")' in \
        result.variable("GAITER_POLICY_TEXT")
    run(*words, "--", ENV).refused("--allow PATTERN", "--allow any-trusted")
    run(*words, "--allow", "nmae:x", "--", ENV).refused('"nmae:x"')
    run(*words, "--allow", "any-trusted", "--allow", "dns:x.example", "--",
        ENV).refused("any-trusted")
    run(*words[:-2], "--allow", "dns:x.example", "--", ENV).refused("--client-auth required")


def test_a_relative_keyring_becomes_absolute(tmp_path):
    result = run("run", "--keyring", "ring", "--listen", "6390", "--", ENV, cwd=tmp_path)
    assert f'keyring = "{tmp_path}/ring"' in result.variable("GAITER_POLICY_TEXT")
    assert (tmp_path / "ring" / "keyring.conf").exists()


def test_a_policy_file_is_named_by_its_absolute_path(tmp_path, keyring):
    (tmp_path / "6379.conf").write_text("inbound = {};\n")
    result = run("run", "--policy", "6379.conf", "--keyring", keyring, ENV, cwd=tmp_path)
    assert result.code == 0, result.err
    assert result.variable("GAITER_POLICY") == str(tmp_path / "6379.conf")
    assert "rules" not in result.variable("GAITER_POLICY_TEXT")
    assert f'keyring = "{keyring}"' in result.variable("GAITER_POLICY_TEXT")


def test_the_keyring_is_said_even_if_nobody_named_it(tmp_path):
    """The program may be another user by the time it looks for one."""
    (tmp_path / "80.conf").write_text('inbound = { tls = "off"; };\n')
    result = run("run", "--policy", tmp_path / "80.conf", "--", ENV)
    assert re.search(r'keyring = "/\S+/gaiter/keyring"', result.variable("GAITER_POLICY_TEXT"))


def test_inner_run_replaces_what_the_outer_said(keyring):
    result = run("run", "-q", "--keyring", keyring, "--listen", "6390", "--",
                 gaiter.COMMAND, "run", "-q", "--keyring", keyring, "--listen", "6391", "--", ENV)
    assert result.code == 0, result.err
    assert "6391" in result.variable("GAITER_POLICY_TEXT")
    assert "6390" not in result.variable("GAITER_POLICY_TEXT")


def test_other_preloads_are_kept(protected):
    result = protected("--", ENV, LD_PRELOAD="libm.so.6 libdl.so.2")
    assert result.variable("LD_PRELOAD") == f"{library()}:libm.so.6:libdl.so.2"


def test_a_sanitizers_runtime_stays_first(protected):
    """It must be, and calls the next."""
    result = protected("--", ENV, LD_PRELOAD="libm.so.6 /nowhere/libasan.so.8")
    assert result.variable("LD_PRELOAD") == f"/nowhere/libasan.so.8:{library()}:libm.so.6"


@pytest.mark.parametrize("words", [
    ["--", "/bin/echo", "--listen", "1", "--help", "--", "-x"],
    ["/bin/echo", "--listen", "1", "--help", "--", "-x"],
    ["echo", "--listen", "1", "--help", "--", "-x"],
])
def test_the_programs_own_options_reach_it(protected, words):
    result = protected(*words)
    assert result.code == 0, result.err
    assert result.out == "--listen 1 --help -- -x\n"


def test_a_program_may_be_called_like_a_verb(protected, script, tmp_path):
    script("#!/bin/sh\necho check: $*\n", "check")
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert protected("check", "a", PATH=path).out == "check: a\n"
    assert protected("--", "check", "a", PATH=path).out == "check: a\n"


def test_the_programs_exit_code_is_the_commands(protected):
    assert protected("--", "/bin/sh", "-c", "exit 77").code == 77


@pytest.mark.parametrize("text", ["#!/bin/sh\necho $1\n", "#! /usr/bin/env -S sh -e\necho $1\n",
                                  "echo $1\n"])
def test_scripts_run(protected, script, text):
    result = protected("--", script(text), "hello")
    assert (result.code, result.out) == (0, "hello\n"), result.err


# ---- first use ----

def test_first_use_makes_a_keyring_and_says_how_to_trust_it(keyring):
    words = ["run", "--keyring", keyring, "--listen", "6390", "--", "/bin/true"]
    first = run(*words)
    assert first.code == 0
    made, hint = first.err.splitlines()
    assert "first use" in made and str(keyring) in made
    ca = re.search(r"openssl s_client -connect localhost:6390 -CAfile (\S+)$", hint).group(1)
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", ca, "-verify_hostname", "localhost",
         keyring / "localhost" / "certificate.pem"], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stderr

    second = run(*words)
    assert second.err == hint + "\n"
    assert run("run", "--quiet", *words[1:]).err == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_a_users_keyring_is_in_the_data_home(place):
    if subprocess.run(["test", "-x", gaiter.COMMAND], user=NOBODY).returncode != 0:
        pytest.skip("another user cannot reach the build")
    os.chown(place, NOBODY, NOBODY)
    result = run("run", "--listen", "6390", "--", ENV, cwd="/", user=NOBODY, XDG_DATA_HOME=place)
    assert result.code == 0, result.err
    assert f"{place}/gaiter/keyring" in result.err
    assert f'keyring = "{place}/gaiter/keyring"' in result.variable("GAITER_POLICY_TEXT")


# ---- programs that cannot be protected ----

def test_a_static_program_is_refused(protected, compiled):
    protected("--", compiled("static", "-static")).refused("statically linked")
    protected("--", compiled("static-pie", "-static-pie")).refused("statically linked")


def test_a_script_of_a_static_interpreter_is_refused(protected, compiled, script, tmp_path):
    static = compiled("static", "-static")
    protected("--", script(f"#!{static} -x\n")).refused(str(static), "statically linked")
    by_env = script("#!/usr/bin/env -S A=1 static\n")
    protected("--", by_env, PATH=f"{tmp_path}:/usr/bin").refused("statically linked")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
@pytest.mark.parametrize("mode,owner,word", [
    (0o4755, (NOBODY, 0), "setuid"), (0o2755, (0, NOBODY), "setgid"), (0o4755, (0, 0), None),
    (0o2745, (0, NOBODY), None), (0o755, (NOBODY, NOBODY), None)])
def test_what_gains_privileges_is_refused(protected, tmp_path, mode, owner, word):
    if os.statvfs(tmp_path).f_flag & os.ST_NOSUID:
        pytest.skip("a file system that ignores setuid")
    program = tmp_path / "program"
    shutil.copy("/bin/true", program)
    os.chown(program, *owner)
    program.chmod(mode)
    if word:
        protected("--", program).refused(f"is {word}")
    else:
        assert protected("--", program).code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give capabilities")
def test_capabilities_of_the_file_are_refused_but_to_root(protected, place):
    program = os.path.join(place, "program")
    shutil.copy("/bin/true", program)
    # struct vfs_ns_cap_data of linux/capability.h: revision 2, CAP_NET_BIND_SERVICE permitted
    os.setxattr(program, "security.capability",
                struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0))
    assert protected("--", program).code == 0
    run("run", "--strict", "--", program, user=NOBODY, cwd="/").refused("capabilities")


def test_another_c_library_is_refused(protected, compiled):
    musl = compiled("musl", "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1")
    protected("--", musl).refused("another C library", "/lib/ld-musl-x86_64.so.1", "glibc")


def patched(path, offset, data):
    content = bytearray(path.read_bytes())
    content[offset:offset + len(data)] = data
    path.write_bytes(content)
    return path


def test_other_machines_are_refused(protected, compiled):
    other = patched(compiled("other"), 18, b"\xf3\x00")  # e_machine: RISC-V
    protected("--", other).refused("another machine")
    small = patched(compiled("small"), 4, b"\x01")  # EI_CLASS: ELFCLASS32
    protected("--", small).refused("32-bit")


def test_a_go_program_is_refused(protected, compiled):
    note = r"""
    __attribute__((section(".note.go.buildid"), used, aligned(4)))
    static const char note[] = "\4\0\0\0" "\4\0\0\0" "\4\0\0\0" "Go\0\0" "abc";
    int main(void) { return 0; }"""
    protected("--", compiled("go", source=note)).refused("Go program")


@pytest.mark.parametrize("size", [4, 20, 64, 100])
def test_damaged_programs_are_refused(protected, compiled, size):
    path = compiled("whole")
    path.write_bytes(path.read_bytes()[:size])
    protected("--", path).refused("damaged")


def test_a_script_that_interprets_itself_is_refused(protected, script, tmp_path):
    protected("--", script(f"#!{tmp_path}/script\n")).refused("too many interpreters")


# ---- programs that are not there ----

def test_missing_programs_are_told_as_env_does(protected, script, tmp_path):
    protected("--", "no-such-program").refused("no such program", code=127)
    protected("--", "/no/such/program").refused("no such program", code=127)
    protected("--", script("#!/no/such/interpreter\n")).refused("/no/such/interpreter", code=127)
    (tmp_path / "data").write_text("data")
    protected("--", tmp_path / "data").refused("not executable", code=126)
    protected("--", tmp_path).refused("not executable", code=126)
    protected("--", "").refused("no program", code=127)


def test_nothing_is_made_for_a_program_that_is_refused(protected, keyring):
    protected("--", "no-such-program")
    assert not keyring.exists()


# ---- policies under which nothing is started ----

STARTED = ["--", "/bin/echo", "started"]


def test_no_rule_at_all_is_refused():
    result = run("run", *STARTED)
    result.refused("no rule", "--listen", "--policy", "--strict")
    assert "started" not in result.out
    assert run("run", "--strict", *STARTED).out == "started\n"


def test_a_bad_policy_is_refused_with_its_place(tmp_path):
    (tmp_path / "6379.conf").write_text('inbound = {\n  tls = "requierd";\n};\n')
    result = run("run", "--policy", tmp_path, *STARTED)
    result.refused("6379.conf:2:", "requierd", '"required"')
    assert "started" not in result.out


def test_a_policy_that_is_not_there_is_refused(tmp_path):
    run("run", "--policy", tmp_path / "none", *STARTED).refused(str(tmp_path / "none"))
    run("run", "--policy", "", *STARTED).refused("--policy", "empty")


def test_labels_that_do_not_exist_are_refused(tmp_path, keyring):
    policy = tmp_path / "6379.conf"
    policy.write_text('inbound = { certificate = "rdis"; };\n')
    words = ["run", "--policy", policy, "--keyring", keyring, *STARTED]
    run(*words).refused('"rdis"', str(keyring), "does not exist")
    assert not keyring.exists()
    assert run("keyring", "create", "redis", "--keyring", keyring).code == 0
    run(*words).refused("6379.conf:1:", "rdis", "redis")
    policy.write_text('inbound = { certificate = "redis"; };\n')
    assert run(*words).out == "started\n"


def test_a_key_that_others_can_read_is_refused(keyring):
    words = ["run", "-q", "--listen", "6390", "--keyring", keyring, *STARTED]
    assert run(*words).out == "started\n"
    (keyring / "localhost" / "key.pem").chmod(0o644)
    run(*words).refused("key.pem")


# ---- usage ----

@pytest.mark.parametrize("words,message", [
    ([], "no program"),
    (["--"], "no program"),
    (["--listen", "6390"], "no program"),
    (["--listen", "0", "ls"], "--listen"),
    (["--listen", "65536", "ls"], "--listen"),
    (["--listen", "9-8", "ls"], "8-9"),
    (["--listen"], "--listen"),
    (["--lisen", "6390", "ls"], "--lisen"),
    (["--client-auth", "required", "ls"], "--listen"),
    (["--listen", "1", "--client-auth", "yes", "ls"], "required"),
])
def test_wrong_usage_is_told(words, message):
    run("run", *words).refused(message, "gaiter run --help")
