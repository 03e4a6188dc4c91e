"""On what, and with which versions, the numbers were made."""

import os
import platform
import re
import subprocess
from datetime import datetime, timezone

from .bench import COMMAND


def describe():
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cpu": f"{os.cpu_count()} x {cpu_model()}",
        "instructions": " ".join(sorted(cpu_flags() & {"aes", "avx2", "avx512f", "pclmulqdq",
                                                       "vaes", "vpclmulqdq", "sha_ni"})),
        "kernel": platform.release(),
        "tcp congestion control": first_line(["sysctl", "-n", "net.ipv4.tcp_congestion_control"]),
        "load at start": "%.2f %.2f %.2f" % os.getloadavg(),
        "openssl": first_line(["openssl", "version"]),
        "redis": first_line(["redis-server", "--version"], r"v=\S+"),
        "stunnel": first_line(["stunnel", "-version"], r"stunnel .*"),
        "nginx": first_line(["nginx", "-v"], r"nginx/\S+"),
        "haproxy": first_line(["haproxy", "-v"], r"version \S+"),
        "hitch": first_line(["hitch", "-V"], r"hitch \S+"),
        "postgresql": first_line(["psql", "--version"]),
        "gaiter": first_line([str(COMMAND), "version"], None),
    }


def cpu_model():
    found = re.search(r"^model name\s*: (.*)$", cpuinfo(), re.MULTILINE)
    return found[1] if found else platform.machine()


def cpu_flags():
    found = re.search(r"^flags\s*: (.*)$", cpuinfo(), re.MULTILINE)
    return set(found[1].split()) if found else set()


def cpuinfo():
    with open("/proc/cpuinfo") as file:
        return file.read()


def first_line(command, wanted=r".+"):
    """The first line printed that matches, all lines as one if `wanted` is None."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except OSError:
        return "not there"
    text = answer.stdout + answer.stderr
    if wanted is None:
        return "; ".join(" ".join(line.split()) for line in text.splitlines() if line)
    found = re.search(wanted, text)
    return found[0] if found else "no answer"
