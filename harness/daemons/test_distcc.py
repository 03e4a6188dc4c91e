"""distcc: the source goes to the daemon, which compiles it, and the object comes back."""

import os


def test_a_compiler_runs_at_the_other_end(serve, reach, client, processes, place, ports, folder,
                                          write, server_side_of, secret):
    port = ports.free()
    source = write("hello.c", f'#include <stdio.h>\nint main(void) {{ puts("{secret}"); }}\n')
    compiler = write("bin/cc", '#!/bin/sh\necho ran >> "$RAN"\nexec gcc "$@"\n', 0o755)
    serve(port, "distccd", "--no-detach", "--daemon", "--port", port, "--listen", "127.0.0.1",
          "--allow", "127.0.0.1", "--jobs", "2", "--log-file", folder("log", "distccd") + "/log",
          "--make-me-a-botnet", side=server_side_of("distccd"),
          environment={"RAN": place + "/log/ran", "TMPDIR": "/tmp"})
    wire = reach(port, secret)
    client("distcc", compiler, "-g", "-c", source, "-o", place + "/hello.o", environment={
        "DISTCC_HOSTS": f"localhost:{wire.port}", "DISTCC_FALLBACK": "0",
        "DISTCC_DIR": folder("distcc"), "RAN": "/dev/null"})
    assert os.path.exists(place + "/log/ran"), "the daemon compiled nothing"
    processes.run(["gcc", "-o", place + "/hello", place + "/hello.o"])
    assert processes.run([place + "/hello"]).text == secret + "\n"
    wire.prove(connections=1)
