"""The questions of the lessons, a module each: how the right answer and the known wrong ones are computed."""
