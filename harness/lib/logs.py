"""Reading Gaiter's log: one line an event, key=value words."""

import os
import re
import time

LINE = re.compile(r"gaiter\[(?P<pid>\d+)\] (?P<level>error|warning|notice|info|debug): (?P<text>.*)")
WORD = re.compile(r'(?P<key>[a-z_]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>\S*))')


class Event(dict):
    """One line: event["cause"], ...; `kind` is its first word (secured, refused, ...)."""

    def __init__(self, match):
        text = match["text"]
        self.kind = text.split(None, 1)[0] if text else ""
        self.level = match["level"]
        self.pid = int(match["pid"])
        self.text = match[0]
        words = {}
        # What is neither the kind nor a word: a value that should have been quoted or escaped.
        self.garbled = WORD.sub("", text[len(self.kind):]).strip()
        for word in WORD.finditer(text):
            quoted = word["quoted"]
            words[word["key"]] = word["bare"] if quoted is None else \
                re.sub(r"\\(.)", r"\1", quoted)
        super().__init__(words)


class Log:
    """A log file that Gaiter writes to. Made at once, writable by whatever user a server
    becomes."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb"):
            pass
        os.chmod(path, 0o666)

    def text(self):
        with open(self.path, encoding="utf-8", errors="replace") as lines:
            return lines.read()

    def events(self, kind=None):
        found = []
        for line in self.text().splitlines():
            match = LINE.search(line)
            if match is not None:
                event = Event(match)
                if kind is None or event.kind == kind:
                    found.append(event)
        return found

    def secured(self):
        return self.events("secured")

    def refused(self):
        return self.events("refused")

    def wait(self, kind, count=1, timeout=10):
        """Waits for at least `count` lines of `kind` and returns them."""
        deadline = time.monotonic() + timeout
        while len(events := self.events(kind)) < count:
            assert time.monotonic() < deadline, \
                f"{len(events)} of {count} {kind!r} lines in the log:\n{self.text()}"
            time.sleep(0.02)
        return events
