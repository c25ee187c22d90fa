"""Capacity: what a job needs, how many fit a machine, what it will cost; models fitted to records, with their errors."""
