"""Writing policies: Python values as libconfig text, one file for each port."""

import os


class Word(str):
    """Text to be written as it is, for a policy that is wrong on purpose."""


def write_value(value):
    """As a policy has it."""
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "( " + ", ".join(write_value(element) for element in value) + " )"
    if isinstance(value, dict):
        return "{ " + " ".join(f"{key} = {write_value(one)};" for key, one in value.items()) + " }"
    quoted = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def _section(name, settings):
    lines = "".join(f"  {key} = {write_value(value)};\n" for key, value in settings.items())
    return f"{name} = {{\n{lines}}};\n"


class PolicyDirectory:
    """A directory for GAITER_POLICY, with gaiter.conf and policy.d/PORT.conf."""

    def __init__(self, path, keyring=None):
        self.path = path
        self._ports = {}
        os.makedirs(os.path.join(path, "policy.d"), mode=0o755)
        self._write("gaiter.conf", f"keyring = {write_value(keyring)};\n" if keyring else "")

    def inbound(self, port, **settings):
        self._add(port, "inbound", settings)

    def outbound(self, port, **settings):
        self._add(port, "outbound", settings)

    def text(self, port, text):
        """Writes a port's file word by word."""
        self._write(os.path.join("policy.d", f"{port}.conf"), text)

    def configuration(self, text):
        """Adds `text` to gaiter.conf."""
        with open(os.path.join(self.path, "gaiter.conf"), "a", encoding="utf-8") as out:
            out.write(text)

    def _add(self, port, section, settings):
        settings.setdefault("tls", "required")
        if settings.get("client_auth") == "required":
            settings.setdefault("allow", "any-trusted")
        sections = self._ports.setdefault(port, {})
        sections[section] = settings
        self.text(port, "".join(_section(name, words) for name, words in sections.items()))

    def _write(self, name, text):
        with open(os.path.join(self.path, name), "w", encoding="utf-8") as out:
            out.write(text)
