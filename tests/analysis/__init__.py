"""Tests of harness.analysis."""
