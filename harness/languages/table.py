"""The languages: how each one's echo server and client are built and run.

In a command {source} is the language's directory below programs/, {built} an empty directory that
is kept for the session, {role} is "server" or "client", {port} the port. A server serves one
connection and ends; a client sends its standard input, prints what comes back, half-closes and
ends. Where `lines` is set, the program knows lines of text only; all else must carry every byte
value.

Go is not here: its programs make their system calls themselves, without libc. `gaiter run` refuses
to start them (see harness/cli).
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Language:
    name: str
    folder: str
    run: tuple
    build: tuple = ()
    lines: bool = False
    without: str = ""  # the role that it cannot play


def c(way, *options):
    return Language(f"C-{way}", "c", ("{built}/{role}",),
                    ("gcc", "-Wall", "-Werror", *options, f"-DWAY_{way.upper()}", "-o",
                     "{built}/{role}", "{source}/{role}.c"))


def cpp(kind, **settings):
    return Language(f"C++-{kind}", "cpp", ("{built}/{role}",),
                    ("g++", "-O1", "-o", "{built}/{role}", "{source}/" + kind + "_{role}.cpp"),
                    **settings)


def script(name, *interpreter, folder=None, **settings):
    return Language(name, folder or name.lower(), interpreter, **settings)


def erlang(backend):
    return script(f"Erlang-{backend}", "escript", "{source}/{role}.escript", "{port}", backend,
                  folder="erlang")


def java(kind):
    return Language(f"Java-{kind}", "java",
                    ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", "{built}",
                     kind + "{Role}"),
                    ("javac", "-d", "{built}", "{source}/" + kind + "{Role}.java"))


def php(kind):
    return script(f"PHP-{kind}", "php", "-n", *(("-d", "extension=sockets") * (kind == "sockets")),
                  "{source}/" + kind + "_{role}.php", folder="php")


def python(kind):
    return script(f"Python-{kind}", "/usr/bin/python3", "-I", "{source}/" + kind + "_{role}.py",
                  folder="python")


LANGUAGES = (
    c("send_recv"),
    c("read_write"),
    c("vectors"),
    c("messages"),
    c("fortified", "-O2", "-D_FORTIFY_SOURCE=2"),
    Language("C-stdio", "c", ("{built}/{role}",),
             ("gcc", "-Wall", "-O2", "-D_FORTIFY_SOURCE=2", "-o", "{built}/{role}",
              "{source}/stdio_{role}.c"), lines=True),
    cpp("asio"),
    cpp("iostream", lines=True),
    Language("assembler", "assembler", ("{built}/{role}",),
             ("gcc", "-o", "{built}/{role}", "{source}/{role}.s")),
    Language("COBOL", "cobol", ("{built}/{role}",),
             ("cobc", "-x", "-o", "{built}/{role}", "{source}/{role}.cob")),
    Language("Fortran", "fortran", ("{built}/{role}",),
             ("gfortran", "-J", "{built}", "-o", "{built}/{role}", "{source}/libc.f90",
              "{source}/{role}.f90")),
    Language("Ada", "ada", ("{built}/{role}",),
             ("sh", "-c", "cd {built} && gnatmake -q -o {role} {source}/{role}.adb")),
    python("socket"),
    python("asyncio"),
    python("socketserver"),
    script("Perl", "perl", "{source}/{role}.pl"),
    script("Ruby", "ruby", "{source}/{role}.rb"),
    php("streams"),
    php("sockets"),
    java("Blocking"),
    java("Nio"),
    script("Node", "node", "{source}/{role}.js"),
    script("Tcl", "tclsh", "{source}/{role}.tcl"),
    script("Lua", "lua5.4", "{source}/{role}.lua"),
    Language("OCaml", "ocaml", ("{built}/{role}",),
             ("sh", "-c", "cp {source}/{role}.ml {built} && cd {built} && "
              "ocamlopt unix.cmxa -o {role} {role}.ml")),
    Language("Haskell", "haskell", ("{built}/{role}",),
             ("ghc", "-v0", "-threaded", "-outputdir", "{built}/{role}.objects", "-o",
              "{built}/{role}", "{source}/{role}.hs")),
    script("Guile", "guile-3.0", "--no-auto-compile", "{source}/{role}.scm", folder="guile"),
    script("SBCL", "sbcl", "--script", "{source}/{role}.lisp"),
    erlang("inet"),
    erlang("socket"),
    Language("Rust", "rust", ("{built}/{role}",),
             ("/usr/bin/rustc", "-o", "{built}/{role}", "{source}/{role}.rs")),
    Language("Rust-tokio", "tokio", ("{built}/target/debug/{role}",),
             ("sh", "-c", "cp -r {source}/. {built} && cd {built} && "
              "/usr/bin/cargo build -q --offline --config debian.toml")),
    # /dev/tcp can connect, not listen.
    script("bash", "bash", "{source}/{role}.sh", lines=True, without="server"),
    Language("gawk", "gawk", ("gawk", "-v", "port={port}", "-f", "{source}/{role}.awk"),
             lines=True),
)
