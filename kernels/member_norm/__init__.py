"""Norms of what belongs to the members of a stack."""

from geomem.kernels.member_norm.api import member_norm

__all__ = ["member_norm"]
