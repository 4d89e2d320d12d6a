"""Benchmark of ops that are one pass over rows: `add_norm` and `bias_gelu` of `geomem.kernels`."""
