"""`make bench`: work done plain, with the program's own TLS, under Gaiter and through stunnel."""
