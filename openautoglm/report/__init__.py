"""What people see of a run: the table in the terminal and ``report.html``."""
