"""Benchmark of `geomem.kernels.short_attention`."""
