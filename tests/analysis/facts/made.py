"""Facts as a run would leave them: drawn, or stored as a superposition that is known."""

import numpy as np
import torch

from geomem.analysis.facts.network import facts_of
from geomem.models import Recall, draw
from geomem.train.config import RunConfig

SETTINGS = {
    "subject_std": 0.3, "relation_std": 1.0, "attribute_std": 1.0, "position_std": 1.0,
    "query_std": 1.5,
}  # fmt: skip
INIT = (*SETTINGS, "kind")


def run_of(subjects=12, relations=3, seed=0, task=None, **model):
    """A run of one hop with a recall model."""
    return RunConfig.model_validate(
        {
            "task": {"kind": "facts", "subjects": subjects, "relations": relations, **(task or {})},
            "model": {"kind": "recall", "width": 6, "mlp_width": 10, **SETTINGS, **model},
            "optim": {"lr": 0.01},
            "train": {"steps": 5},
            "seed": seed,
        }
    )


def model_of(run):
    """The torch model of a run."""
    structure = run.model.model_dump(exclude=set(INIT))
    task = run.task
    return Recall(task.subjects, task.relations, task.attribute_count, 2, **structure)


def drawn(run):
    """Parameters of a run [1, ...] in float64, no bias left at zero."""
    settings = {n: torch.tensor([getattr(run.model, n)]).double() for n in SETTINGS}
    found = model_of(run).parameters()
    params = {n: draw(n, p, [run.seed], settings).double() for n, p in found.items()}
    generator = torch.Generator().manual_seed(1)
    for name in ("up.bias", "down.bias", "attention_bias"):
        if name in params:
            params[name] = torch.randn(params[name].shape, generator=generator).double()
    return params


def facts_from(run, params, answers=None):
    """What the analysis reads of such parameters; random answers unless they are given."""
    task, rng = run.task, np.random.default_rng(run.seed)
    if answers is None:
        shift = task.subjects * np.arange(task.relations) * (task.attributes == "disjoint")
        orders = [rng.permutation(task.subjects) for _ in range(task.relations)]
        answers = np.stack(orders) + shift[:, None]
    own = {name: t[0].detach().numpy() for name, t in params.items()}
    tables = {"embedding", "relations", "unembedding"}
    tensors = {f"parameters/{name}": t for name, t in own.items() if name not in tables}
    tensors |= {
        "embedding": own["embedding"],
        "relations": own["relations"],
        "attributes": own.get("unembedding", own["embedding"]),
        "answers": answers,
    }
    return facts_of(tensors, run.model_dump(mode="json"), run.seed)


def superposed(subjects=200, relations=2, width=40, noise=0.0, seed=0):
    """Subjects that are sums of their attributes through known maps, without a network.

    Returns the facts and the maps [R, D, D].
    """
    rng = np.random.default_rng(seed)
    run = run_of(subjects, relations, seed, width=width)
    maps = rng.standard_normal((relations, width, width)) / np.sqrt(width)
    attributes = rng.standard_normal((subjects, width))
    answers = np.stack([rng.permutation(subjects) for _ in range(relations)])
    made = sum((attributes[a] - attributes.mean(0)) @ m for a, m in zip(answers, maps, strict=True))
    made = made + noise * rng.standard_normal(made.shape) + 3.0
    config = run.model_dump(mode="json")
    config["model"]["kind"] = "transformer"  # so that no network is looked for
    tensors = {"embedding": made, "attributes": attributes, "answers": answers}
    return facts_of(tensors, config, seed), maps
