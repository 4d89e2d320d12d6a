"""Benchmark of ops that are one pass over rows: `add_norm`, `bias_gelu`, `dropout`."""
