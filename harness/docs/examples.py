"""The policies and commands that the documents show."""

import glob
import os
import re
import shlex

from harness.lib import gaiter

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAN_EXAMPLE = re.compile(r"^\.EX\n(.*?)^\.EE$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"^#\s*(?:/etc/gaiter/)?((?:policy\.d/)?[\w.-]+\.conf)\b", re.MULTILINE)


class Example:
    """A block of a document: `text`, and where it begins."""

    def __init__(self, document, whole, match, text, language=""):
        self.place = f"{document}:{whole.count(chr(10), 0, match.start()) + 2}"
        self.text = text
        self.language = language

    def policy_file(self):
        """The name of the policy file that it shows, as its first comment says; None for another
        kind of text."""
        name = FILE_NAME.match(self.text)
        return name.group(1) if name else None

    def commands(self):
        """The words of each `gaiter ...` command, without comment, prompt or redirection."""
        for line in re.sub(r"\\\n\s*", " ", self.text).splitlines():
            line = line.strip().removeprefix("$ ").removeprefix("# ")
            if re.match(r"gaiter [a-z-]+( |$)", line):
                words = shlex.split(line, comments=True)
                ends = [words.index(word) for word in (">", "|", "&&") if word in words]
                yield words[1:min(ends, default=None)]


def documents():
    found = []
    for pattern in ("*.md", "docs/*.md", "docs/*.1", "*/GRAMMAR.md", "*/FORMAT.md"):
        found += glob.glob(os.path.join(gaiter.REPOSITORY, pattern))
    return sorted(found)


def examples():
    for path in documents():
        document = os.path.relpath(path, gaiter.REPOSITORY)
        with open(path, encoding="utf-8") as file:
            whole = file.read()
        if path.endswith(".1"):
            for match in MAN_EXAMPLE.finditer(whole):
                yield Example(document, whole, match, match.group(1).replace("\\-", "-"))
        else:
            for match in FENCE.finditer(whole):
                yield Example(document, whole, match, match.group(2), match.group(1))
