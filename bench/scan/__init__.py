"""Benchmark of `geomem.kernels.selective_scan`."""
