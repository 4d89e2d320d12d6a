"""What a valid file expands to."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomem.train.config import Execution, run_id

DESIGN = """\
version: 1
name: tiny-graphs
defaults: {task: {kind: in_weights, recipe: edges_only}, model: {kind: transformer, layers: 1, \
width: 32}, optim: {lr: 1e-2}, train: {steps: 500}}
grid: {graph: [{kind: cycle, nodes: 15}, {kind: grid, rows: 4, columns: 4}], \
model.kind: [transformer, feed_forward]}
zip: [{model.width: [64, 128], optim.lr: [1e-3, 3e-4]}]
runs: [{graph: {kind: path_star, arms: 4, length: 5}}]
overrides: [{where: {model.kind: feed_forward}, set: {model.activation: gelu}}]
exclude: [{model.kind: feed_forward, graph.kind: cycle}]
seeds: 0-31
execution: {device: auto, stack: auto, retries: 2}
"""


def brief(run):
    model = run.model
    return run.graph.kind, model.kind, model.width, run.optim.lr, getattr(model, "activation", "-")


def test_the_example_of_the_design(load):
    grid = load(DESIGN)
    assert [brief(run) for run in grid.runs[::32]] == [
        ("cycle", "transformer", 64, 1e-3, "-"),
        ("cycle", "transformer", 128, 3e-4, "-"),
        ("grid", "transformer", 64, 1e-3, "-"),
        ("grid", "transformer", 128, 3e-4, "-"),
        ("grid", "feed_forward", 64, 1e-3, "gelu"),
        ("grid", "feed_forward", 128, 3e-4, "gelu"),
        ("path_star", "transformer", 32, 1e-2, "-"),
    ]
    assert [run.seed for run in grid.runs] == list(range(32)) * 7
    assert (grid.name, grid.text) == ("tiny-graphs", DESIGN)
    idle = "g.yaml:7:73: model.activation: changes nothing where model.layers is 1; leave it out"
    assert grid.warnings == (idle,)
    assert grid.execution == Execution()


def test_the_example_with_kinds_to_come(refusal):
    text = DESIGN.replace("feed_forward", "retnet")
    unknown = (
        "model.kind: unknown kind 'retnet'; "
        "choose transformer, feed_forward, mamba, node2vec or recall"
    )
    assert refusal(text).splitlines() == [
        f"g.yaml:{place}: {unknown}" for place in ("4:104", "7:34", "8:24")
    ]


def test_defaults_alone_are_one_run(load, base):
    (run,) = load(base).runs
    assert (run.seed, run.graph.nodes, run.train.steps) == (0, 15, 5)


def test_name_defaults_to_the_file(load, base):
    assert load(base).name == "g"


@pytest.mark.parametrize("name", ["../../x", "CON", "[red]é 漢字 👩‍💻", "x" * 300, "a:b"])
def test_names_are_data(load, base, name):
    assert load(f"{base}name: '{name}'\n").name == name


def test_runs_are_added_to_the_product(load, base):
    text = base + "grid: {model.width: [8, 16]}\nruns: [{model.width: 32}, {model.width: 64}]\n"
    assert [run.model.width for run in load(text).runs] == [8, 16, 32, 64]


def test_runs_alone_make_no_run_of_the_defaults(load, base):
    assert [run.train.steps for run in load(base + "runs: [{train.steps: 7}]\n").runs] == [7]


def test_the_first_axis_varies_slowest_and_seeds_fastest(load, base):
    text = base + "grid: {train.steps: [1, 2], model: {width: [8, 16]}}\nseeds: [4, 2]\n"
    runs = load(text).runs
    assert [(r.train.steps, r.model.width, r.seed) for r in runs[:5]] == [
        (1, 8, 4),
        (1, 8, 2),
        (1, 16, 4),
        (1, 16, 2),
        (2, 8, 4),
    ]


def test_each_zip_mapping_is_one_axis(load, base):
    text = base + (
        "zip:\n- {model.width: [8, 16], optim: {lr: [1, 2]}}\n"
        "- {train: {steps: [1, 2, 3], edge_batch: [all, 4, 5]}}\n"
    )
    runs = load(text).runs
    found = [(r.model.width, r.optim.lr, r.train.steps, r.train.edge_batch) for r in runs]
    assert found == [
        (w, lr, s, b) for w, lr in [(8, 1), (16, 2)] for s, b in [(1, "all"), (2, 4), (3, 5)]
    ]


def test_a_mapping_with_kind_replaces_one_without_merges(load, base):
    text = base.replace("kind: transformer", "kind: transformer, layers: 5, width: 8")
    text += (
        "runs: [{model: {kind: transformer, heads: 2}}, {model: {heads: 2}}, {model.heads: 2}]\n"
    )
    replaced, merged = load(text).runs  # the last two are equal
    assert (replaced.model.layers, replaced.model.width, replaced.model.heads) == (2, 64, 2)
    assert (merged.model.layers, merged.model.width, merged.model.heads) == (5, 8, 2)


def test_whole_sections_and_single_fields_in_one_mapping(load, base):
    one = "runs: [{model.width: 16, model: {kind: feed_forward}}]\n"
    other = "runs: [{model: {kind: feed_forward, width: 16}}]\n"
    assert load(base + one).runs == load(base + other).runs


def test_the_order_of_axes_orders_the_runs_alone(load, base):
    models = "model: [{kind: transformer}, {kind: feed_forward}]"
    one = load(base + f"grid: {{{models}, model.width: [8, 16]}}\n").runs
    other = load(base + f"grid: {{model.width: [8, 16], {models}}}\n").runs
    assert {run_id(run) for run in one} == {run_id(run) for run in other}
    assert [run.model.width for run in other] == [8, 8, 16, 16]


def test_groups_merge_and_null_replaces(load, base):
    text = base + (
        "  train.stop_when: {metric: first_hop, reaches: 0.5}\n"
        "runs: [{train.stop_when.reaches: 1}, {train: {stop_when: {metric: edge_accuracy}}},\n"
        "  {train.stop_when: null}]\n"
    )
    first, second, third = (run.train.stop_when for run in load(text).runs)
    assert (first.metric, first.reaches) == ("first_hop", 1)
    assert (second.metric, second.reaches) == ("edge_accuracy", 0.5)
    assert third is None


def test_precedence(load, base):
    text = base + (
        "grid: {train.steps: [6]}\n"
        "overrides:\n"
        "- {where: {train.steps: 6}, set: {train.steps: 7, optim.lr: 7}}\n"
        "- {where: {train.steps: 7}, set: {optim.lr: 8}}\n"
    )
    (run,) = load(text).runs
    assert (run.train.steps, run.optim.lr) == (7, 8)
    (run,) = load(text, "optim.lr=9").runs
    assert (run.train.steps, run.optim.lr) == (7, 9)


def test_where_sees_assignments_and_they_still_win(load, base):
    text = base + "overrides: [{where: {train.steps: 9}, set: {train.steps: 1, optim.lr: 3}}]\n"
    (run,) = load(text, "train.steps=9").runs
    assert (run.train.steps, run.optim.lr) == (9, 3)


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ("{model.width: 64}", True),  # a default
        ("{model: {width: 64, heads: 4}}", True),
        ("{model.width: [8, 64]}", True),
        ("{model.width: 64.0}", True),
        ("{model.width: [8, 16]}", False),
        ("{model.width: 64, model.heads: 2}", False),
        ("{optim.betas: [[0.9, 0.999]]}", True),
        ("{task.kind: in_weights}", True),
        ("{task.self_edges: false}", True),
        ("{task.self_edges: 0}", False),
        ("{train.stop_when: null}", True),
        ("{train.stop_when.metric: first_hop}", False),
        ("{graph.rows: 3}", False),  # no field of this kind
        ("{model.activation: none}", False),
    ],
)
def test_where_compares_values_in_force(load, base, where, matches):
    grid = load(f"{base}overrides: [{{where: {where}, set: {{train.steps: 99}}}}]\n")
    assert (grid.runs[0].train.steps == 99) is matches
    warning = "g.yaml:7:14: overrides: this where matched no run"
    assert grid.warnings == (() if matches else (warning,))


def test_exclusion_saves_what_would_be_invalid(load, base):
    text = base + "grid: {model.width: [8, 9]}\nexclude: [{model.width: 9}, {model.width: 10}]\n"
    grid = load(text)
    assert [run.model.width for run in grid.runs] == [8]
    assert grid.warnings == ("g.yaml:8:29: exclude: this where matched no run",)


def test_equal_runs_are_kept_once(load, base):
    grid = load(base + "grid: {train.steps: [5, 5, 6]}\nruns: [{}, {model.heads: 4}]\nseeds: 0-1\n")
    assert [(run.train.steps, run.seed) for run in grid.runs] == [(5, 0), (5, 1), (6, 0), (6, 1)]
    assert grid.warnings == ("g.yaml: 6 runs are equal to earlier ones; each is kept once",)


def test_execution_is_no_part_of_identity(load, base):
    one, other = load(base), load(base + "execution: {stack: 4, threads: 2, parameters: true}\n")
    assert (other.execution.stack, other.execution.threads) == (4, 2)
    assert [run_id(run) for run in one.runs] == [run_id(run) for run in other.runs]


@pytest.mark.parametrize("runs", ["10^9", "many seeds", "both"])
def test_too_many_runs_are_refused_before_they_are_made(refusal, base, runs):
    paths = ["model.width", "model.layers", "model.heads", "model.mlp_ratio", "model.token_std"]
    paths += ["model.position_std", "model.weight_std", "optim.lr", "train.steps"]
    values = list(range(1, 11))
    axes = "".join(f"  {path}: {values}\n" for path in paths)
    seeds = "seeds: 0-9999999999\n" if runs != "10^9" else ""
    message = refusal(base + ("" if runs == "many seeds" else f"grid:\n{axes}") + seeds)
    total = {"10^9": 10**9, "many seeds": 10**10, "both": "more than 10^15"}[runs]
    assert message == (
        f"g.yaml: grid: {total} runs are more than the limit of 1000000; "
        "remove axes, values or seeds"
    )


def test_ten_thousand_runs_load(load, base):
    rates = [f"{i}e-5" for i in range(1, 101)]
    text = f"{base}grid: {{optim.lr: [{', '.join(rates)}], train.steps: {list(range(1, 101))}}}\n"
    assert len(load(text).runs) == 10_000


AXES = {
    "model.width": [8, 16, 32],
    "train.steps": [1, 2, 3],
    "optim.lr": [0.1, 0.2, 0.3],
    "graph.nodes": [5, 6, 7],
}


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.fixed_dictionaries({path: st.integers(0, 3) for path in AXES}),
    seeds=st.integers(1, 3),
)
def test_the_size_of_a_product_is_that_of_its_expansion(load, base, sizes, seeds):
    axes = {path: AXES[path][:size] for path, size in sizes.items() if size}
    text = base + (f"grid: {axes}\n" if axes else "") + f"seeds: 0-{seeds - 1}\n"
    runs = load(text.replace("'", "")).runs
    assert len(runs) == math.prod(map(len, axes.values())) * seeds
    assert len({run_id(run) for run in runs}) == len(runs)
