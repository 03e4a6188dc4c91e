"""Real programs, both ends under Gaiter and each end against a foreign TLS peer."""
