"""Benchmark of a whole training step of Mamba against another implementation."""
