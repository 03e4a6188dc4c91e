"""Programs that sleep: what they count stands still."""

import time

SETTLED = 0.3  # seconds without a change


def growth_while_quiet(count, seconds, timeout=20):
    """Waits until count() stands still: what was begun has ended. Gives by how much it grows in so
    many seconds then; that nothing happens has no condition to wait for."""
    deadline = time.monotonic() + timeout
    before = None
    while (now := count()) != before and time.monotonic() < deadline:
        before = now
        time.sleep(SETTLED)
    before = count()
    time.sleep(seconds)
    return count() - before
