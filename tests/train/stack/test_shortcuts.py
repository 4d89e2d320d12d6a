"""What the step leaves out changes neither loss nor gradient: held against the plain formulation.

Left out are positions without a target, padding of edges to paths, repeated task tokens and
repeated prefixes; the plain formulation computes all of them.
"""

import pytest
import torch

from geomem.train.stack.batches import Batches, predict
from geomem.train.stack.build import build_model, build_task
from geomem.train.stack.members import stages_of
from geomem.train.stack.state import State
from geomem.train.tasks.in_weights import build_tables
from tests.closeness import assert_close
from tests.train.stack import plain

MAMBA = {"kind": "mamba", "layers": 2, "width": 16, "state": 4}
MODELS = {
    "transformer": {"layers": 2},
    "untied": {"tie": False},
    "no attention": {"attention": False},
    "no residual": {"residual": False},
    "no norm": {"norm": False},
    "sinusoidal": {"positions": "sinusoidal", "position_std": 0.25},
    "no positions": {"positions": "none"},
    "frozen": {"freeze_embeddings": True},
    "mamba": MAMBA,
    "mamba, bare": MAMBA | {"residual": False, "norm": False, "conv": 2, "dt_rank": 3},
}
TASKS = {
    "mixed": {"recipe": "mixed"},
    "hardest": {"recipe": "mixed", "target": "hardest_token"},
    "reversed": {"recipe": "mixed", "reverse_paths": True, "pauses": 3},
    "no tag": {"recipe": "mixed", "task_token": False, "start_node": True},
    "teacherless": {"recipe": "mixed", "teacherless": True},
    "edges": {"recipe": "edges_only", "self_edges": True},
}
LARGE_STD = {"token_std": 0.5, "weight_std": 0.3}  # far from the start, where all is alike


def _stack(runs, task):
    """Model and parameters off their start, in fp64."""
    model = build_model(runs[0], task)
    state = State(runs, model, torch.device("cpu"))
    g = torch.Generator().manual_seed(1)
    params = {}
    for name, p in state.arena.params.items():
        p = p.detach().double()
        noise = 0.1 * torch.randn(p.shape, generator=g, dtype=torch.float64)
        params[name] = p + noise if p.dim() == 2 and name != "position_scale" else p
        params[name].requires_grad_(state.arena.params[name].requires_grad)
    return model, params


def _compare(runs, batch):
    """batch: the step's examples of member k, from its tables and batches, as plain tokens."""
    tables = build_tables(runs)
    batches = Batches(runs, tables, stages_of(runs[0])[0], torch.device("cpu"))
    _compare_step(runs, tables, batches.parts(3), lambda k: batch(tables, k, batches))


def _compare_step(runs, task, parts, batch):
    """Loss and gradients of the parts against those of batch(k), tokens and labels."""
    model, params = _stack(runs, task)
    loss = predict(model, params, parts).loss
    names = [name for name, p in params.items() if p.requires_grad]
    leaves = [params[name] for name in names]
    found = torch.autograd.grad(loss.sum(), leaves, allow_unused=True, materialize_grads=True)
    for k in range(len(runs)):
        member = {n: p[k].detach().clone().requires_grad_() for n, p in params.items()}
        tokens, labels = batch(k)
        expected = plain.loss_of(member, tokens, labels, runs[k].model)
        wanted = torch.autograd.grad(
            expected, [member[n] for n in names], allow_unused=True, materialize_grads=True
        )
        assert_close(loss[k], expected, 1e-12)
        for name, f, w in zip(names, found, wanted, strict=True):
            scale = max(w.norm(), 1e-6)
            assert (f[k] - w).norm() <= 1e-9 * scale, name


def _all_examples(tables, k, batches):
    edges = range(tables.edges.source.shape[1])
    return plain.examples(tables, k, edges, tables.paths and tables.paths.train[k].tolist())


@pytest.mark.parametrize("name", MODELS)
def test_models_on_full_batches(make_run, name):
    model = LARGE_STD | MODELS[name]
    runs = [make_run(s, task={"recipe": "mixed"}, model=model) for s in range(2)]
    _compare(runs, _all_examples)


@pytest.mark.parametrize("model", [{}, MAMBA], ids=["transformer", "mamba"])
@pytest.mark.parametrize("name", TASKS)
def test_tasks_on_full_batches(make_run, name, model):
    runs = [make_run(s, task=TASKS[name], model=model | LARGE_STD) for s in range(2)]
    _compare(runs, _all_examples)


@pytest.mark.parametrize("layers", [1, 3])
def test_feed_forward(make_run, layers):
    model = {"kind": "feed_forward", "width": 8, "layers": layers, "activation": "gelu"}
    runs = [make_run(s, model=model | LARGE_STD) for s in range(2)]
    _compare(runs, _all_examples)


def test_sampled_batches(make_run):
    train = {"edge_batch": 7, "path_batch": 4}
    runs = [make_run(s, task=TASKS["mixed"], model=LARGE_STD, train=train) for s in range(2)]

    def sampled(tables, k, batches):
        edge_rows = batches._edge_stream.batch(3)[k].tolist()
        path_rows = tables.paths.train[k][batches._path_stream.batch(3)[k]].tolist()
        return plain.examples(tables, k, edge_rows, path_rows)

    _compare(runs, sampled)


IN_CONTEXT = {
    "next token": {},
    "teacherless": {"teacherless": True, "pauses": 2},
    "reversed": {"reverse_paths": True, "delimiters": False},
    "hardest": {"target": "hardest_token"},
}


@pytest.mark.parametrize("model", [{"layers": 2}, MAMBA], ids=["transformer", "mamba"])
@pytest.mark.parametrize("name", IN_CONTEXT)
def test_prompts(make_run, name, model):
    """Every target stands where the path does, and nothing but targets is scored."""
    fields = {
        "graph": {"arms": 2, "length": 4},
        "task": {"kind": "in_context", **IN_CONTEXT[name]},
        "train": {"path_batch": 5},
    }
    runs = [make_run(s, **fields, model=model | LARGE_STD) for s in range(2)]
    task = build_task(runs, torch.device("cpu"))
    (part,) = task.parts(3)
    tokens = part.segment.tokens

    def prompts(k):
        labels = torch.full_like(tokens[k], plain.PAD)
        labels[:, -part.segment.wanted :] = part.targets[k].view(5, part.segment.wanted)
        return tokens[k], labels

    _compare_step(runs, task, [part], prompts)
    if name == "next token":  # what is read next is what had to be predicted
        read = tokens[:, :, -part.segment.wanted + 1 :]
        assert (read == part.targets.view(2, 5, -1)[:, :, :-1]).all()


def test_each_stage_of_the_staged_recipe_trains_on_its_own_examples(make_run):
    run = make_run(task={"recipe": "staged"}, train={"edge_steps": 5})
    tables = build_tables([run])
    lengths = []
    for stage in stages_of(run):
        parts = Batches([run], tables, stage, torch.device("cpu")).parts(0)
        lengths.append([part.segment.wanted for part in parts])
    assert lengths == [[1], [4]]
