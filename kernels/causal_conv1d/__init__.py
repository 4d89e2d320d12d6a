"""Short causal convolution of every channel, with its activation."""

from geomem.kernels.causal_conv1d.api import causal_conv1d

__all__ = ["causal_conv1d"]
