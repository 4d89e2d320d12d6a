"""One HTML file that shows a sweep: tables, figures, and embeddings to turn and play."""

from geomem.analysis.report.limits import Limits
from geomem.analysis.report.page import PARTS, write_report

__all__ = ["PARTS", "Limits", "write_report"]
