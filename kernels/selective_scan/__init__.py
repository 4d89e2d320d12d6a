"""The selective scan of Mamba over many sequences, forward and backward."""

from geomem.kernels.selective_scan.api import ScanResult, selective_scan

__all__ = ["ScanResult", "selective_scan"]
