"""Tests of dlgauge; they mirror the layout of the project."""
