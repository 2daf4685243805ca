"""The windows of the program, with what they need."""
