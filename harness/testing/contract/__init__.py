"""The adapter contract, a test for every check: `pytest --pyargs harness.testing.contract --adapter NAME`."""
