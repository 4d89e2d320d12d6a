"""The benchmark's command in its smoke size, and what it makes of wrong and failing variants."""

import json
import math
import sys
from pathlib import Path

import jsonschema
import pytest
import torch
from click.testing import CliRunner

from geomem.bench import kernels
from geomem.bench.commands import KNOWN_OPS, cli
from geomem.bench.loss.inputs import make_inputs, truth
from geomem.bench.loss.op import LinearCrossEntropyOp
from geomem.bench.registry import OPS
from geomem.bench.table import table
from geomem.bench.variants import Point, Variant, relative_error

NUMBERS = {"type": "object", "additionalProperties": {"type": ["number", "null"]}}
ROW = {
    "op": {"enum": list(OPS)},
    "sizes": {"type": "object", "additionalProperties": {"type": "integer"}},
    "variant": {"type": "string"},
    "at": {"type": "string"},
    "status": {"type": "string", "minLength": 1},
    "note": {"type": "string"},
    "errors": NUMBERS,
    "extra_bytes": {"type": ["integer", "null"]},
    "extra_share": {"type": ["number", "null"]},
    "seconds": {"anyOf": [{"type": "null"}, {**NUMBERS, "required": ["p20", "p50", "p80"]}]},
    "timed_by": {"type": "string"},
    "sets": {"type": "integer"},
    "figures": NUMBERS,
}
RESULT = {
    "format": {"const": 1},
    "request": {"type": "object", "required": ["ops", "device", "smoke", "seconds", "threads"]},
    "environment": {
        "type": "object",
        "required": ["device_name", "driver", "python", "packages", "commit", "dirty", "date"],
    },
    "ceilings": {**NUMBERS, "required": ["matmul_flops", "copy_bytes"]},
    "limits": NUMBERS,
    "rows": {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": ROW,
            "required": list(ROW),
            "additionalProperties": False,
        },
    },
    "wall_seconds": {"type": "number"},
    "finished": {"const": True},
}
SCHEMA = {
    "type": "object",
    "properties": RESULT,
    "required": list(RESULT),
    "additionalProperties": False,
}
POINT = Point({"N": 6, "V": 9, "D": 32, "K": 2})


class _Op(LinearCrossEntropyOp):
    """The loss at one size, with the variants that a test gives it."""

    def __init__(self, *variants):
        self._given = variants

    def points(self, device, smoke):
        return [POINT]

    def variants(self, point, device, smoke):
        ours = super().variants(point, device, smoke)[0]
        return [ours, *self._given]


def _run(monkeypatch, *variants, **request):
    monkeypatch.setitem(OPS, "linear_cross_entropy", lambda: _Op(*variants))
    asked = {"ops": ("linear_cross_entropy",), "device": "cpu", "smoke": True, "seconds": 1e6}
    result = kernels.run(kernels.Request(**asked, **request), say=lambda line: None)
    return result, {row.variant: row for row in result.rows}


def test_the_command_leaves_tables_pictures_and_json(tmp_path):
    arguments = ["kernels", "--all", "--smoke", "--device", "cpu", "--out", str(tmp_path)]
    arguments += ["--seconds", "1e6"]
    outcome = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0
    saved = json.loads((tmp_path / "kernels.json").read_text())
    jsonschema.validate(saved, SCHEMA)
    assert {row["op"] for row in saved["rows"]} == set(OPS) == set(KNOWN_OPS)
    ours = [row for row in saved["rows"] if row["variant"] == "geomem"]
    assert ours
    for row in ours:
        assert row["status"] == "ok"
        assert row["seconds"]["p20"] <= row["seconds"]["p50"] <= row["seconds"]["p80"]
        assert row["errors"]
        assert row["figures"]
    for op in OPS:
        assert (tmp_path / f"{op}.png").stat().st_size > 1000
        assert op in outcome.stdout
    assert "check " not in outcome.stdout, "progress belongs to stderr"


def test_every_variant_of_every_size_and_pass_has_a_row(tmp_path):
    request = kernels.Request(device="cpu", smoke=True, seconds=1e-3, out=tmp_path)
    result = kernels.run(request, say=lambda line: None)
    expected = {
        (op.name, str(point), variant.name, at)
        for op in (make() for make in OPS.values())
        for point in op.points("cpu", True)
        for variant in op.variants(point, "cpu", True)
        for at in op.passes
    }
    found = [(r.op, str(Point(r.sizes)), r.variant, r.at) for r in result.rows]
    assert sorted(found) == sorted(expected)
    assert any(row.status == "no time left" for row in result.rows)


def test_an_op_that_has_no_sizes_on_a_device_is_named(monkeypatch):
    monkeypatch.setattr(OPS["mamba_step"], "points", lambda *_: [])
    lines: list[str] = []
    kernels.run(kernels.Request(("mamba_step",), "cpu", True, 1.0), say=lines.append)
    assert "mamba_step is not measured on cpu" in lines


def test_a_gradient_of_zeros_is_timed_and_marked(monkeypatch):
    def zeros(x, embedding, targets):
        return (x * 0).sum((1, 2)) + (embedding * 0).sum((1, 2))

    result, rows = _run(monkeypatch, Variant("zeros", zeros))
    assert rows["zeros"].status == "wrong: half, memorised, random"
    assert rows["zeros"].seconds is not None
    assert rows["zeros"].errors["half.dx"] == rows["zeros"].errors["memorised.de"] == 1.0
    assert rows["geomem"].status == "ok"
    assert "wrong: half" in table(result.rows)


def test_a_gradient_that_is_lost_only_when_memorised_is_marked_there(monkeypatch):
    def filtering(x, embedding, targets):
        logits = torch.bmm(x, embedding.mT)
        rows = torch.nn.functional.cross_entropy(logits.mT, targets, reduction="none")
        return torch.where(rows < 1e-2, rows.detach(), rows).mean(1)

    _, rows = _run(monkeypatch, Variant("filtering", filtering))
    assert rows["filtering"].status == "wrong: memorised"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 TB"), "out of memory"),
        (ValueError("no such shape\nat all"), "failed: ValueError: no such shape"),
    ],
)
def test_what_a_variant_raises_is_its_result(monkeypatch, error, status):
    def fail(x, embedding, targets):
        raise error

    _, rows = _run(monkeypatch, Variant("failing", fail), Variant("absent", missing="not there"))
    assert rows["failing"].status == status
    assert rows["failing"].seconds is None
    assert rows["absent"].status == "not there"
    assert rows["geomem"].status == "ok"
    assert rows["geomem"].seconds is not None


@pytest.mark.parametrize("short_of", ["beside others", "while it runs"])
def test_who_finds_no_memory_beside_others_is_timed_alone(monkeypatch, short_of):
    """The first three calls are the checks; then one attempt to be timed fails."""
    calls = []

    def hungry(x, embedding, targets):
        calls.append(None)
        if len(calls) == (4 if short_of == "beside others" else 5):
            raise torch.OutOfMemoryError("out of memory")
        return LOSS(x, embedding, targets)

    LOSS = LinearCrossEntropyOp().variants(POINT, "cpu", True)[0].function
    _, rows = _run(monkeypatch, Variant("hungry", hungry))
    assert rows["hungry"].status == "ok"
    assert rows["hungry"].seconds is not None
    assert "alone" in rows["hungry"].note


def test_results_that_are_not_numbers_are_wrong_and_json_stays_json(monkeypatch, tmp_path):
    def nan(x, embedding, targets):
        return (x * math.nan).sum((1, 2)) + embedding.sum((1, 2))

    _, rows = _run(monkeypatch, Variant("nan", nan), out=tmp_path)
    assert rows["nan"].status.startswith("wrong")
    saved = json.loads((tmp_path / "kernels.json").read_text(), parse_constant=pytest.fail)
    jsonschema.validate(saved, SCHEMA)


def test_errors_are_free_of_scale():
    truth = torch.randn(5, dtype=torch.float64) * 1e-9
    assert relative_error(torch.zeros(5), truth) == 1.0
    assert relative_error(truth.clone(), truth) == 0.0
    assert relative_error(truth * 2, truth) == pytest.approx(1.0)
    assert relative_error(torch.full((5,), math.nan), truth) == math.inf
    assert relative_error(torch.zeros(4), truth) == math.inf


@pytest.mark.parametrize("V", [3, 50, 20_001])
@pytest.mark.parametrize(("regime", "low", "high"), [("half", 0.4, 0.6), ("memorised", 0.999, 1)])
def test_targets_have_the_probability_of_their_regime(V, regime, low, high):
    inputs = make_inputs(Point({"K": 1, "N": 32, "V": V, "D": 64}), "cpu", regime, 0)
    assert low < math.exp(-float(truth(inputs)["loss"])) < high


def test_the_truth_is_that_of_autograd_whatever_the_chunks(monkeypatch):
    from geomem.bench.loss import inputs as module
    from geomem.bench.loss.implementations import eager

    arguments = make_inputs(POINT, "cpu", "half", 0)
    x, e = (t.detach().double().requires_grad_() for t in arguments[:2])
    logits = torch.bmm(x, e.mT)
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), arguments.targets.flatten(), reduction="none"
    )
    wanted = torch.autograd.grad(loss.view(2, 6).mean(1).sum(), (x, e))
    for budget in (9, 40, 60, 1 << 20):
        monkeypatch.setitem(module.CHUNK_LOGITS, "cpu", budget)
        found = truth(arguments)
        torch.testing.assert_close((found["dx"], found["de"]), wanted)
    assert eager(*arguments).shape == (2,)


def test_a_missing_click_is_named(monkeypatch, capsys):
    from geomem.bench import cli as entry

    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "geomem.bench.commands", raising=False)
    with pytest.raises(SystemExit) as stop:
        entry.main()
    assert stop.value.code == 2
    assert "pip install click" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["kernels", "throughput"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_run(monkeypatch, tmp_path, command):
    from geomem.bench.throughput import session
    from geomem.train.packs import DiskError

    def no_run(*_):
        raise AssertionError("measured all the same")

    for module in (kernels, session):
        monkeypatch.setattr(module, "run", no_run)
    (tmp_path / "file").touch()
    out = str(tmp_path / "file" / "out")
    with pytest.raises(DiskError, match=r"cannot write .*out: Not a directory"):
        CliRunner().invoke(cli, [command, "--all", "--out", out], catch_exceptions=False)
    monkeypatch.setattr(Path, "write_bytes", _refuses)
    with pytest.raises(DiskError, match="Permission denied"):
        CliRunner().invoke(cli, [command, "--all", "--out", str(tmp_path)], catch_exceptions=False)


def _refuses(path, data):
    raise PermissionError(13, "Permission denied", str(path))
