"""Values from the command line."""

import pytest


def test_fields_and_settings(load, base):
    sets = ["model.width=8", "model.width=12", "execution.stack=4", "seeds=0-1", "name=b c"]
    grid = load(base, *sets, "optim={weight_decay: 0, betas: [0.5, 0.6]}")
    assert len(grid.runs) == 2
    run = grid.runs[1]
    assert (run.seed, run.model.width, run.optim.lr) == (1, 12, 0.01)
    assert (run.optim.weight_decay, run.optim.betas) == (0, (0.5, 0.6))
    assert (grid.name, grid.execution.stack) == ("b c", 4)


def test_a_kind_replaces_its_section(load, base):
    text = base + "  model.layers: 3\n"
    (run,) = load(text, "model={kind: feed_forward}", "model.width=8").runs
    assert (run.model.kind, run.model.layers, run.model.width) == ("feed_forward", 1, 8)


def test_assignments_come_after_the_file(load, base):
    text = base + "grid: {train.steps: [7, 8]}\nseeds: 0-3\nexecution: {stack: 2, retries: 1}\n"
    grid = load(text, "train.steps=9", "seeds=5", "execution.stack=3")
    assert [(run.train.steps, run.seed) for run in grid.runs] == [(9, 5)]
    assert (grid.execution.stack, grid.execution.retries) == (3, 1)
    assert grid.text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.stepz=4", "train.stepz: unknown key. Did you mean train.steps?"),
        ("lr=4", "lr: unknown key. Did you mean optim.lr?"),
        ("seed=4", "seed: unknown key. Did you mean seeds?"),
        ("execution.devise=cpu", "execution.devise: unknown key. "
                                 "Did you mean execution.device?"),
        ("grid.model.width=[8]", "grid.model.width: belongs to the file; "
                                 "--set takes fields of runs, seeds, name and execution.*"),
        ("version=1", "version: belongs to the file; "
                      "--set takes fields of runs, seeds, name and execution.*"),
        ("train.steps", "train.steps: expected KEY=VALUE, for example train.steps=100"),
        ("train.steps=", "train.steps: expected an integer, got nothing"),
        ("train.steps=1_0", "train.steps: expected an integer, got the text '1_0'; write 10"),
        ("train.steps=010", "train.steps: a number with leading zeros is ambiguous; "
                            "write 10 or '010'"),
        ("train.steps=[1, 2]", "train.steps: expected an integer, got a list; "
                               "a list of values to try belongs under grid"),
        ("model=a: b", "model: write [a, b] or {key: value}, or put the text in quotes"),
        ("model={widht: 8}", "model.widht: unknown key. Did you mean model.width?"),
        ("model.width=6", "model.width: width 6 cannot be divided by 4 heads; "
                          "choose a multiple of 4"),
        ("model.width={", "model.width: did not find expected node content "
                          "while parsing a flow node"),
        ("model.width=*a", "model.width: *a: anchors and aliases are refused; "
                           "write the value out, or share it through defaults"),
        ("name=\udcff", "name: the character U+DCFF is not allowed; remove it"),
        ("execution.stack=0", "execution.stack: has to be at least 1, got 0"),
        ("seeds=3-1", "seeds: 3-1 runs backwards; write 1-3"),
    ],
)  # fmt: skip
def test_refusals(refusal, base, text, message):
    shown = text.replace("\udcff", "\\udcff")
    assert refusal(base, text) == f"--set {shown}: {message}"
