"""Benchmarks with peers in the same run: ``python -m bench`` prints one table."""
