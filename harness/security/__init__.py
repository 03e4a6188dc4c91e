"""What must be refused, with the errno that the program sees and the line in the log."""
