"""Benchmark of `geomem.kernels.adamw_step`."""
