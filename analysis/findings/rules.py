"""What a rule may ask of the values of a setting: each gives a check, None below five seeds."""

import statistics
from collections.abc import Callable, Sequence

from geomem.analysis.findings.finding import MIN_SEEDS, Check
from geomem.analysis.findings.settings import Setting


def median_at_least(what: str, setting: Setting, least: float) -> Check:
    """The middle seed reaches a value."""
    asked = f"median ≥ {least:g}"
    return _check(what, asked, setting, lambda values: statistics.median(values) >= least)


def median_at_most(what: str, setting: Setting, most: float) -> Check:
    """The middle seed stays below a value."""
    asked = f"median ≤ {most:g}"
    return _check(what, asked, setting, lambda values: statistics.median(values) <= most)


def every_at_least(what: str, setting: Setting, least: float) -> Check:
    """Each seed reaches a value."""
    return _check(what, f"every seed ≥ {least:g}", setting, lambda values: min(values) >= least)


def every_at_most(what: str, setting: Setting, most: float) -> Check:
    """No seed goes beyond a value."""
    return _check(what, f"every seed ≤ {most:g}", setting, lambda values: max(values) <= most)


def most_above(what: str, setting: Setting, bound: float = 0.0, share: float = 0.8) -> Check:
    """A share of the seeds lies above a bound, as paired differences should."""
    asked = f"{share:.0%} of seeds > {bound:g}".replace("%", " %")

    def enough(values: Sequence[float]) -> bool:
        return sum(value > bound for value in values) >= share * len(values)

    return _check(what, asked, setting, enough)


def told(what: str, setting: Setting) -> Check:
    """A value that the verdict does not rest on."""
    values = tuple(setting.by_seed.values())
    return Check(what, "", setting.label, values, None, len(setting.seeds), setting.needs)


def all_or_none(checks: Sequence[Check]) -> list[Check]:
    """Checks of sides that are compared: none holds or fails until all have enough seeds."""
    few = any(check.asked and len(check.values) < MIN_SEEDS for check in checks)
    return [check._replace(holds=None) if few else check for check in checks]


def _check(
    what: str, asked: str, setting: Setting, test: Callable[[Sequence[float]], bool]
) -> Check:
    values = tuple(setting.by_seed.values())
    holds = test(values) if len(values) >= MIN_SEEDS else None
    return Check(what, asked, setting.label, values, holds, len(setting.seeds), setting.needs)
