"""What others can test with: the adapter contract as a pytest suite.

`pytest --pyargs harness.testing.contract --adapter NAME`. Needs pytest, which dlgauge itself does not: install
`dlgauge[contract]`.
"""
