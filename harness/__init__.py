"""End-to-end tests of Gaiter against real programs and foreign TLS implementations."""
