"""Real daemons under Gaiter and their own clients under Gaiter, a recording relay between them."""
