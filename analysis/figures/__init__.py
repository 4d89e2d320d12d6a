"""Figures of a sweep. Drawing only: what is drawn is computed elsewhere."""

from geomem.analysis.figures.save import (
    FIGURES,
    OF_FACTS,
    Passed,
    drawn,
    ignored,
    left_out,
    save_figures,
)

__all__ = ["FIGURES", "OF_FACTS", "Passed", "drawn", "ignored", "left_out", "save_figures"]
