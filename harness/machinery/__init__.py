"""The harness proves itself: a check that cannot fail proves nothing."""
