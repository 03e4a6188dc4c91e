"""Random sequences of socket operations give the same under Gaiter as on plain TCP.

A failure prints the sequence, shrunk, and its number; `python3 -m
harness.parity.sequences.compare --seed NUMBER --count 1` plays it again. What once failed is kept
in kept/ and played for ever.

The seed is fixed, so that a failure tells of the change at hand; SEQUENCES_SEED=random, or a
number, explores.
"""

import os
import random

import pytest

from .compare import BATCH, KEPT, Players, build, describe
from .generate import sequences

BATCHES = 15
WANTED = os.environ.get("SEQUENCES_SEED", "8446")
SEED = random.SystemRandom().randrange(10**9) if WANTED == "random" else int(WANTED)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return build(str(tmp_path_factory.mktemp("sequences")))


@pytest.fixture
def players(program, place, ports, pki):
    return Players(program, place, ports, pki)


@pytest.mark.limit(180)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_sequences_are_the_same(players, batch):
    seed = SEED + batch * BATCH
    print(f"SEQUENCES_SEED={SEED}")
    named = sequences(seed, BATCH)
    found = [(name, players.shrink(lines)) for name, lines in players.differences(named)[:3]]
    assert not found, "\n".join(
        describe(name, lines, players.differ(lines) or (None, None)) for name, lines in found)


@pytest.mark.parametrize("name", sorted(os.listdir(KEPT)))
def test_what_once_differed(players, name):
    with open(os.path.join(KEPT, name), encoding="ascii") as kept:
        lines = kept.read().splitlines()
    differ = players.differ(lines)
    assert not differ, describe(name, lines, differ)
