"""Benchmark of `geomem.kernels.linear_cross_entropy`."""
