"""What a user would put in front of a program instead: two proxies with TLS between them.

Each as its manual advises: a worker for each processor, no logging, no Nagle, sessions reused.
"""

import os

from .bench import SUITE
from .row import HAPROXY, HITCH, NGINX, STUNNEL

WORKERS = os.cpu_count()


def add_tunnels(route, kind, resume):
    """A proxy before the server and one behind the client; gives the port between them."""
    server_port, tls_port = route.port, route.bench.free_port()
    route.port = route.bench.free_port()
    server, client = MAKERS[kind]
    server(route, tls_port, server_port, resume)
    client(route, route.port, tls_port, resume)
    return tls_port


def start(route, name, text, command, port):
    """Writes a configuration and serves `command` with its path at the end."""
    path = route.bench.scratch / f"{name}-{port}.conf"
    path.write_text(text)
    route.serve([*command, str(path)], port)


def stunnel(route, port, resume, *lines):
    text = "\n".join((
        "foreground = yes", "debug = err", "syslog = no", "pid =",
        "socket = l:TCP_NODELAY=1", "socket = r:TCP_NODELAY=1",
        "[bench]", "sslVersionMin = TLSv1.3", f"ciphersuites = {SUITE}",
        f"sessionResume = {'yes' if resume else 'no'}", "sessionCacheSize = 1000", *lines, ""))
    start(route, "stunnel", text, ["stunnel"], port)


def stunnel_server(route, port, to, resume):
    stunnel(route, port, resume, f"accept = 127.0.0.1:{port}", f"connect = 127.0.0.1:{to}",
            f"cert = {route.bench.certificate}", f"key = {route.bench.key}")


def stunnel_client(route, port, to, resume):
    stunnel(route, port, resume, "client = yes", f"accept = 0.0.0.0:{port}",
            f"connect = 127.0.0.1:{to}", f"CAfile = {route.bench.ca}", "verifyChain = yes",
            "checkHost = localhost")


def nginx(route, port, to, resume, listen, *lines):
    path = route.bench.scratch / f"nginx-{port}"
    path.mkdir()
    text = "\n".join((
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;",
        f"worker_processes {WORKERS}; worker_rlimit_nofile 20000; daemon off; user root;",
        f"pid {path}/pid; error_log stderr crit;",
        "events { worker_connections 8000; }",
        "stream {", "  tcp_nodelay on; proxy_buffer_size 64k;",
        f"  server {{ listen {listen}; proxy_pass 127.0.0.1:{to};", *lines, "  }", "}", ""))
    start(route, "nginx-stream", text, ["nginx", "-p", str(path), "-c"], port)


def nginx_server(route, port, to, resume):
    nginx(route, port, to, resume, f"127.0.0.1:{port} ssl",
          f"    ssl_certificate {route.bench.certificate};",
          f"    ssl_certificate_key {route.bench.key};",
          f"    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {SUITE};",
          f"    ssl_session_cache {'shared:s:10m' if resume else 'off'};",
          f"    ssl_session_tickets {'on' if resume else 'off'};")


def nginx_client(route, port, to, resume):
    nginx(route, port, to, resume, f"0.0.0.0:{port}",
          "    proxy_ssl on; proxy_ssl_verify on; proxy_ssl_name localhost;",
          f"    proxy_ssl_server_name on; proxy_ssl_trusted_certificate {route.bench.ca};",
          f"    proxy_ssl_session_reuse {'on' if resume else 'off'}; proxy_ssl_protocols TLSv1.3;")


def haproxy(route, port, bind, server):
    text = "\n".join((
        "global", f"  nbthread {WORKERS}", "  maxconn 5000",
        "  ssl-default-bind-options ssl-min-ver TLSv1.3",
        f"  ssl-default-bind-ciphersuites {SUITE}", f"  ssl-default-server-ciphersuites {SUITE}",
        "defaults", "  mode tcp", "  timeout connect 5s", "  timeout client 1m",
        "  timeout server 1m", "frontend f", f"  bind {bind}", "  default_backend b",
        "backend b", f"  server s {server}", ""))
    start(route, "haproxy", text, ["haproxy", "-db", "-q", "-f"], port)


def haproxy_server(route, port, to, resume):
    haproxy(route, port, f"127.0.0.1:{port} ssl crt {both_in_one(route.bench)}"
            f"{'' if resume else ' no-tls-tickets'}", f"127.0.0.1:{to}")


def haproxy_client(route, port, to, resume):
    haproxy(route, port, f"0.0.0.0:{port}",
            f"127.0.0.1:{to} ssl verify required ca-file {route.bench.ca} sni str(localhost) "
            f"verifyhost localhost{'' if resume else ' no-ssl-reuse'}")


def hitch(route, port, frontend, to, *words):
    """It refuses to work as root."""
    route.serve(["hitch", *words, "--frontend", frontend, "--backend", f"[127.0.0.1]:{to}",
                 "--workers", str(WORKERS), "--user", "nobody", "--quiet",
                 str(both_in_one(route.bench))], port)


def hitch_server(route, port, to, resume):
    hitch(route, port, f"[127.0.0.1]:{port}", to, "--tls-protos=TLSv1.3")


def hitch_client(route, port, to, resume):
    """hitch's own client mode, which verifies nobody."""
    hitch(route, port, f"[0.0.0.0]:{port}", to, "--client")


def both_in_one(bench):
    """The key and the certificate in one file, as HAProxy and hitch want them."""
    path = bench.directory / "server-both.pem"
    if not path.exists() or path.stat().st_mtime < bench.certificate.stat().st_mtime:
        path.touch(mode=0o600)
        path.write_bytes(bench.key.read_bytes() + bench.certificate.read_bytes())
    return path


MAKERS = {STUNNEL: (stunnel_server, stunnel_client), NGINX: (nginx_server, nginx_client),
          HAPROXY: (haproxy_server, haproxy_client), HITCH: (hitch_server, hitch_client)}
