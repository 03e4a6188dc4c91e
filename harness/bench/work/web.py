"""nginx and wrk: a large file by sendfile(2), small answers kept alive, a connection each."""

from functools import partial

from ..bench import SUITE, Tls
from ..process import found
from ..routes import Program, open_route
from ..row import ENDS, GAITER, NGINX, OWN_TLS, PLAIN, STUNNEL, Row, Sample

FILE = 100 << 20  # bytes
SCALE = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
NO_SESSIONS = Tls(settings=("session = { cache = 0; tickets = 0; };",))


def web(bench, workers, no_sessions=False):
    def configuration(port, listen, *lines):
        path = bench.scratch / f"web-{port}"
        path.mkdir()
        with open(bench.directory / "large", "wb") as large:
            large.truncate(FILE)
        text = path / "nginx.conf"
        text.write_text("\n".join((
            f"worker_processes {workers}; daemon off; user root; pid {path}/pid;",
            "error_log stderr crit;", "events { worker_connections 4000; }",
            "http {", "  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;",
            "  keepalive_requests 1000000;", f"  server {{ listen {listen};", *lines,
            f"    root {bench.directory};", '    location = /small { return 200 "hello"; }',
            "  }", "}", "")))
        return ["nginx", "-p", str(path), "-c", str(text)]

    def server(port):
        return configuration(port, f"127.0.0.1:{port}")

    def tls_server(port):
        return configuration(
            port, f"127.0.0.1:{port} ssl", f"    ssl_certificate {bench.certificate};",
            f"    ssl_certificate_key {bench.key}; ssl_protocols TLSv1.3;",
            f"    ssl_conf_command Ciphersuites {SUITE};",
            *(["    ssl_session_tickets off;"] if no_sessions else []))

    def client(scheme, port, path, connections, seconds, *words):
        return ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency", *words,
                f"{scheme}://127.0.0.1:{port}{path}"]

    return Program(server, partial(client, "http"), tls_server, partial(client, "https"))


def measure(path, connections, workers, words, bench, variant, count, first):
    """wrk counts in whole seconds, so `count` is not obeyed."""
    storm = bool(words)
    tls = {"tls": NO_SESSIONS} if storm else {}
    with open_route(bench, variant, web(bench, workers, storm), first, resume=not storm,
                    **tls) as route:
        output, cpu = route.run(path, connections, 1, *words)
        requests, seconds, read, unit = found(
            r"(\d+) requests in ([\d.]+)s, ([\d.]+)(\w+) read", output)
        work = float(read) * SCALE[unit] / 2**30 if path == "/large" else int(requests)
        rate = work * 8 * 2**30 / 1e9 if path == "/large" else work
        return Sample(value=rate / float(seconds), cpu_seconds=cpu / work, work=1,
                      seconds=float(seconds), secured_by=route.secured_by())


def row(name, unit, per, path, connections, workers=1, words=(), **more):
    return Row(name, unit, per, partial(measure, path, connections, workers, words),
               first_count=1, **more)


ROWS = [
    row("nginx, file of 100 MiB by sendfile", "Gbit/s", "GiB", "/large", 1,
        bars={OWN_TLS: 1.3}, variants=ENDS + (STUNNEL,), quick=False),
    row("nginx keep-alive, 50 connections", "requests/s", "request", "/small", 50,
        bars={OWN_TLS: 1.05}, variants=ENDS + (STUNNEL, NGINX)),
    row("nginx, a connection for each request", "requests/s", "request", "/small", 50,
        words=("-H", "Connection: close"), variants=(PLAIN, OWN_TLS, GAITER), quick=False,
        note="no session is resumed"),
]
