"""Capacity: what a job needs, how many fit a machine, what it costs; models fitted to records, with their errors."""
