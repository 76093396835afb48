"""Studies: one question a file, answered by figures that anyone can make again."""
