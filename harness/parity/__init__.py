"""The same program plain and under Gaiter: every call must give the same."""
