"""One module for each kind of work; ROWS in it lists what is measured."""
