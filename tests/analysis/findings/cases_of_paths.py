"""Runs on paths that show a finding, or fail one of its checks alone.

A case is a function of the number of seeds and of the check to be broken (None: none of them).
"""

from functools import partial

import numpy as np

from tests.analysis.findings.packs import STAR, STEPS, curve, final, made


def learned(seeds, broken):
    """1a: exact match of each model on a graph that it learns, and on a larger one."""
    high = {0: ("transformer", 0.8), 2: ("mamba", 0.8)}
    low = {1: ("transformer", 0.03), 3: ("mamba", 0.03)}
    found = []
    for model in ("transformer", "mamba"):
        small = high[broken][1] if broken in high and high[broken][0] == model else 0.95
        large = low[broken][1] if broken in low and low[broken][0] == model else 0.5
        found += made(seeds, final(small), model=model)
        found += made(seeds, final(large), graph={**STAR, "arms": 256}, model=model)
    return found


def token_order(seeds, broken):
    """1b: steps at which the tokens of a path are known, from root to goal."""
    together, cascade = (150, 140, 145), (150, 110, 70)
    in_weights, in_context = (cascade, cascade) if broken == 0 else (together, cascade)
    if broken == 1:
        in_context = together
    eased = {"kind": "in_context", "teacherless": True}
    train = {"path_batch": 8}
    return made(seeds, tokens(in_weights)) + made(
        seeds, tokens(in_context), graph={**STAR, "arms": 5}, task=eased, train=train
    )


def tokens(times):
    """Accuracies [S, 5] that jump at these steps; root and leaf are known at once."""
    jumps = np.array([10, *times, 10])
    return {"metrics/target_accuracy": (STEPS[:, None] >= jumps).astype(float)}


def hardest(seeds, broken):
    """1c: the first hop alone."""
    task = {"recipe": "mixed", "target": "hardest_token"}
    found = []
    for at, model in enumerate(("transformer", "mamba")):
        value = 0.5 if broken == at else 0.95
        found += made(seeds, final(value, "first_hop"), task=task, model=model)
    return found


def closeness(seeds, broken):
    """2: leaf and first hop of an arm, close or not."""
    noise = {
        ("transformer", "mixed"): 0.1,
        ("mamba", "mixed"): 0.3,
        ("transformer", "edges_only"): 0.3,
        ("mamba", "edges_only"): 0.3,
    }
    changed = {
        0: {("transformer", "mixed"): 2, ("transformer", "edges_only"): 30},
        1: {("mamba", "mixed"): 30},
        2: {("transformer", "mixed"): 0.3, ("transformer", "edges_only"): 0.1},
        3: {("mamba", "edges_only"): 30},
    }
    noise |= changed.get(broken, {})
    return [
        member
        for (model, recipe), size in noise.items()
        for member in made(
            seeds,
            {"embedding": partial(arms_apart, noise=size)},
            task={"recipe": recipe},
            model=model,
        )
    ]


def arms_apart(seed, noise):
    """Nodes of an arm share a direction, all of them with noise of that size; [n, 32]."""
    rng = np.random.default_rng(seed)
    arm = np.repeat(rng.standard_normal((STAR["arms"], 32)), STAR["length"] - 1, 0)
    whole = np.concatenate([np.zeros((1, 32)), arm])
    return (whole + noise * rng.standard_normal(whole.shape)).astype(np.float32)


def regimes(seeds, broken):
    """6: accuracy of the worst token, by the directions of the edges."""
    good = [1.0, 0.0, 0.3, 1.0]
    bad = [0.7, 0.3, 0.8, 0.7]
    tasks = (
        {},
        {"edges": "forward"},
        {"edges": "backward"},
        {"edges": "backward", "reverse_paths": True},
    )
    found = []
    for at, task in enumerate(tasks):
        value = bad[at] if broken == at else good[at]
        given = 0 if "reverse_paths" in task else 4  # the leaf, which nothing is asked of
        accuracies = np.full((len(STEPS), 5), value)
        accuracies[:, given] = 0
        own = {"metrics/target_accuracy": accuracies, **final(0.0)}
        found += made(seeds, own, task={"recipe": "mixed", **task})
    return found


def pauses(seeds, broken):
    """7: mean over training, by pauses."""
    by_count = {0: 0.2, 1: 0.4, 4: 0.6}
    if broken == 0:
        by_count = {0: 0.8, 1: 0.9, 4: 0.7}
    if broken == 1:
        by_count = {0: 0.5, 1: 0.2, 2: 0.9, 3: 0.3, 4: 0.51}
    return [
        member
        for count, value in by_count.items()
        for member in made(seeds, final(value), task={"recipe": "mixed", "pauses": count})
    ]


def staged(seeds, broken):
    """8: first-hop accuracy over training; 1 is only told."""
    path = {0: (0, 0.4, 0.1), 2: (0, 0.9, 0.85)}.get(broken, (0, 0.9, 0.2))
    mixed = (0, 1, 0.5) if broken == 3 else (0, 1, 1)
    task, train = {"recipe": "staged"}, {"edge_steps": 100}
    own = {"metrics/first_hop": curve(*path)}
    return made(seeds, own, task=task, train=train) + made(
        seeds, {"metrics/first_hop": curve(*mixed)}
    )


def in_context(seeds, broken):
    """9: next-token at chance, the others not."""
    graph, train = {"kind": "path_star", "arms": 5, "length": 5}, {"path_batch": 8}
    plain = final(0.6 if broken == 0 else 0.2, "first_hop") | final(0.2)
    found = made(seeds, plain, graph=graph, task={"kind": "in_context"}, train=train)
    for way in ("teacherless", "reverse_paths"):
        own = final(0.5 if broken == 1 else 0.95) | final(1.0, "first_hop")
        task = {"kind": "in_context", way: True}
        found += made(seeds, own, graph=graph, task=task, train=train)
    return found


def tree_star(seeds, broken):
    """10: first hops by split."""
    leaf, first = {0: (0.2, 0.35), 1: (0.9, 0.1), 2: (0.4, 0.5)}.get(broken, (0.9, 0.4))
    graph = {"kind": "tree_star", "arms": 40, "branching": 2, "length": 4}
    return [
        member
        for split, value in (("leaf", leaf), ("first_token", first))
        for member in made(
            seeds,
            final(value, "first_hop") | final(value / 2),
            graph=graph,
            task={"recipe": "mixed", "split": split},
        )
    ]
