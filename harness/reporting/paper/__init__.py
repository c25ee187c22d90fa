"""Figures and tables for papers: vector formats, intervals, units, and the trials behind every number."""
