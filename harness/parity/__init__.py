"""Parity: the asserted proof that two adapters compute the same thing on a workload."""
