"""Benchmarks: every figure in docs/ comes from here. Run as ``python -m benchmarks.NAME``."""
