"""The forms of seeds."""

import pytest

FORMS = "write a seed (7), a range (0-31), both (0-3,8) or a list of them"


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ("7", [7]),
        ("0-3", [0, 1, 2, 3]),
        ("'5'", [5]),
        ("0-1,8", [0, 1, 8]),
        ("8, 0 - 1", [8, 0, 1]),
        ("[3, 0-1, '6,5']", [3, 0, 1, 6, 5]),
        ("9223372036854775807", [2**63 - 1]),
    ],
)
def test_forms(load, base, seeds, expected):
    assert [run.seed for run in load(f"{base}seeds: {seeds}\n").runs] == expected


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("3-1", "7:8: seeds: 3-1 runs backwards; write 1-3"),
        ("[0-3, 2]", "7:14: seeds: seed 2 is given twice; keep one of them"),
        ("0-3,1-2", "7:8: seeds: seed 1 is given twice; keep one of them"),
        ("[4, 4]", "7:12: seeds: seed 4 is given twice; keep one of them"),
        ("[]", f"7:1: seeds: no seeds, so nothing would run; {FORMS}"),
        ("", f"7:7: seeds: cannot read nothing; {FORMS}"),
        ("''", f"7:8: seeds: cannot read the text ''; {FORMS}"),
        ("0-", f"7:8: seeds: cannot read the text '0-'; {FORMS}"),
        ("00-3", f"7:8: seeds: cannot read the text '00-3'; {FORMS}"),
        ("1.5", f"7:8: seeds: cannot read 1.5; {FORMS}"),
        ("true", f"7:8: seeds: cannot read true; {FORMS}"),
        ("[[1]]", f"7:9: seeds: cannot read a list; {FORMS}"),
        ("-1", "7:8: seeds: seeds go from 0 to 9223372036854775807, got -1"),
        ("9223372036854775808", "7:8: seeds: seeds go from 0 to 9223372036854775807, "
                                "got 9223372036854775808"),
    ],
)  # fmt: skip
def test_refusals(refusal, base, seeds, message):
    assert refusal(f"{base}seeds: {seeds}\n") == f"g.yaml:{message}"
