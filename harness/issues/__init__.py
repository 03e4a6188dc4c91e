"""One regression test for each reported fault, named by its number."""
