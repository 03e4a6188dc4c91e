"""Foreign TLS implementations against both roles."""
