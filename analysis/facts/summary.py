"""The measures that `superposition` and `capacity` tabulate, of one batch of runs."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from geomem.analysis.arrays import Floats
from geomem.analysis.batches import Batch
from geomem.analysis.facts.gates import firing, gate_measures
from geomem.analysis.facts.maps import read_out
from geomem.analysis.facts.network import TENSORS, Facts, facts_of
from geomem.analysis.facts.superposition import (
    held_out_fits,
    permuted,
    read_by_jacobian,
    superposition,
)
from geomem.analysis.facts.transfer import exchange, zero_shot
from geomem.train.sweep.results import final_metrics

MEASURES = (
    *("accuracy", "superposition_r2", "ridge_r2", "jacobian_probe", "probe"),
    *("exchange_target", "exchange_others", "zero_shot", "zero_shot_ridge"),
)
CONTROLS = (
    *("superposition_r2_permuted", "ridge_r2_permuted", "probe_permuted", "probe_seen_permuted"),
    *("zero_shot_old", "zero_shot_wrong", "zero_shot_ridge_wrong", "zero_shot_untrained"),
)
GATES = ("gates_open", "gates_fixed", "gates_select", "gates_overlap")


def structure(batch: Batch) -> dict[str, Floats]:
    """How facts are stored: see `superposition`, `transfer` and `gates`; their controls beside."""
    return _gathered(batch, structure_of)


def structure_of(facts: Facts) -> dict[str, float]:
    """Measures of one run; what needs the network is left out for other models than recall."""
    rng = np.random.default_rng([facts.seed, 0])
    other = permuted(facts.answers, rng)
    found = held_out_fits(facts, facts.answers, rng)
    controls = held_out_fits(facts, other, rng)
    found |= {f"{name}_permuted": value for name, value in controls.items()}
    if facts.network is None:
        return found
    readout = read_out(facts.network, facts.subjects)
    target, others = exchange(facts, readout, rng)
    return found | {
        "superposition_r2": superposition(facts, readout, facts.answers),
        "superposition_r2_permuted": superposition(facts, readout, other),
        "jacobian_probe": read_by_jacobian(facts, readout),
        "exchange_target": target,
        "exchange_others": others,
        **zero_shot(facts, readout, rng),
        **gate_measures(firing(facts)),
    }


def transfer(batch: Batch) -> dict[str, Floats]:
    """Accuracy on the trained facts and on new ones."""
    return _gathered(batch, _transfer_of)


def _transfer_of(facts: Facts) -> dict[str, float]:
    if facts.network is None:
        return {}
    readout = read_out(facts.network, facts.subjects)
    return zero_shot(facts, readout, np.random.default_rng([facts.seed, 0]))


def _gathered(batch: Batch, measure: Callable[[Facts], dict[str, float]]) -> dict[str, Floats]:
    """Of every run, and the accuracy that it was left with; NaN for what a run has not."""
    last = final_metrics(batch.pack)
    rows: list[Mapping[str, float]] = [
        {"accuracy": last[at].get("accuracy", np.nan), **measure(facts)}
        for at, facts in zip(batch.places, _facts(batch), strict=True)
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def _facts(batch: Batch) -> Iterator[Facts]:
    names = [n for n in batch.pack.names if n in TENSORS or n.startswith("parameters/")]
    tensors = {name: batch.tensor(name) for name in names}
    for k, member in enumerate(batch.members):
        own = {name: tensor[k] for name, tensor in tensors.items()}
        yield facts_of(own, member["config"], member["seed"])
