"""The recall network in float64: answers, gates and Jacobians for any table of subjects.

N subjects · R relations · A attributes · D width · F neurons of the MLP
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from geomem.analysis.arrays import Floats, Ints, pieces

Doubles = Floats  # of float64


def highest(scores: Doubles) -> Ints:
    """The column that scores highest in each row; -1 where a score is NaN, as argmax hides it."""
    found: Ints = np.where(np.isnan(scores.max(1)), -1, scores.argmax(1))
    return found


def share(found: Ints, answers: Ints) -> float:
    """Share of the answers that were found; NaN where some of `found` are undefined, -1."""
    return float("nan") if (found < 0).any() else float((found == answers).mean())


class States(NamedTuple):
    """Of one relation and S subjects: weight [S] of attention on the subject, gap [S, D] between
    what it would take from the subject and from the relation, and the MLP's input [S, D] and
    what its neurons sum up [S, F].
    """

    weight: Doubles
    gap: Doubles
    mixed: Doubles
    summed: Doubles


@dataclass(frozen=True, eq=False)
class Network:
    """One layer of `models.recall` for queries of one hop.

    relations [R, D] and attributes [A, D]; positions [2, D]; query, mixing [D, D]: Wq Wk' / sqrt(D)
    and Wv Wo; up, down and their biases; offset: how much the score of the subject exceeds that of
    the relation by a learned bias.
    """

    relations: Doubles
    attributes: Doubles
    positions: Doubles
    query: Doubles
    mixing: Doubles
    up: Doubles
    up_bias: Doubles
    down: Doubles
    down_bias: Doubles
    offset: float
    token_residual: bool
    mlp_residual: bool

    def states(self, relation: int, subjects: Doubles) -> States:
        """What happens at a relation for subjects [S, D]."""
        s, r = subjects + self.positions[0], self.relations[relation] + self.positions[1]
        q = r @ self.query
        weight = expit(s @ q - r @ q + self.offset)
        gap = s @ self.mixing - r @ self.mixing
        mixed = r @ self.mixing + weight[:, None] * gap
        if self.token_residual:
            mixed = mixed + r
        return States(weight, gap, mixed, mixed @ self.up + self.up_bias)

    def outputs(self, relation: int, subjects: Doubles) -> Doubles:
        """What is compared with the attributes, [S, D]."""
        found = self.states(relation, subjects)
        y: Doubles = np.maximum(found.summed, 0) @ self.down + self.down_bias
        if self.mlp_residual:
            y += found.mixed
        return y

    def answers(self, relation: int, subjects: Doubles) -> Ints:
        """The attribute that scores highest, int64 [S]; -1 for subjects that are no numbers."""
        found = [
            highest(self.outputs(relation, subjects[part]) @ self.attributes.T)
            for part in pieces(len(subjects), len(self.attributes))
        ]
        return np.concatenate(found)

    def accuracy(self, subjects: Doubles, answers: Ints) -> Doubles:
        """Share of right answers [R, S] for each relation, [R]; NaN where some are undefined."""
        return np.array([share(self.answers(r, subjects), own) for r, own in enumerate(answers)])

    def jacobian(self, relation: int, subjects: Doubles) -> Doubles:
        """Mean over subjects [S, D] of the derivative of the output by the subject, [D in, D out].

        With a the weight of attention, dh/de = a Wv Wo + a (1 - a) q (x) gap, and behind it the
        MLP is linear for each subject: Up, then the neurons that fire, then Down.
        """
        found = self.states(relation, subjects)
        fires = found.summed > 0
        steep = (found.weight * (1 - found.weight))[:, None]
        q = (self.relations[relation] + self.positions[1]) @ self.query
        through = (found.weight[:, None] * fires).mean(0)
        turned = (steep * (found.gap @ self.up) * fires).mean(0)
        jacobian = (self.mixing @ self.up * through + np.outer(q, turned)) @ self.down
        if self.mlp_residual:
            jacobian += found.weight.mean() * self.mixing + np.outer(q, (steep * found.gap).mean(0))
        return np.asarray(jacobian)


@dataclass(frozen=True, eq=False)
class Facts:
    """What a run learned: subjects [N, D] with their answers [R, N], and the network around them.

    centres: mean of each relation's attributes, [R, D]; network: None where the model is another.
    """

    config: Mapping[str, Any]
    seed: int
    subjects: Doubles
    attributes: Doubles
    answers: Ints
    centres: Doubles
    network: Network | None

    @property
    def relations(self) -> int:
        """R."""
        return len(self.answers)

    def known(self, relation: int, answers: Ints | None = None) -> Doubles:
        """The subjects' attributes for a relation, by other answers [R, N] too, centred: [N, D]."""
        which = self.answers if answers is None else answers
        return np.asarray(self.attributes[which[relation]] - self.centres[relation])

    def only(self, which: Ints) -> "Facts":
        """The same of some subjects alone."""
        return replace(self, subjects=self.subjects[which], answers=self.answers[:, which])


TENSORS = ("embedding", "attributes", "relations", "answers")
"""Of a pack, that facts are made of, beside its parameters."""


def facts_of(tensors: Mapping[str, Any], config: Mapping[str, Any], seed: int) -> Facts:
    """What a run learned, from its `TENSORS` and "parameters/*"."""
    own = {n: np.asarray(t, np.float64) for n, t in tensors.items() if n != "answers"}
    attributes, answers = own["attributes"], tensors["answers"]
    centres = np.stack([attributes[row].mean(0) for row in answers])
    known = config["model"]["kind"] == "recall" and config["task"]["hops"] == 1
    network = _network(config["model"], own) if known else None
    return Facts(config, seed, own["embedding"], attributes, answers, centres, network)


def _network(model: Mapping[str, Any], own: Mapping[str, Doubles]) -> Network:
    parameters = {name.removeprefix("parameters/"): value for name, value in own.items()}
    bias = parameters.get("attention_bias", np.zeros((2, 2)))
    return Network(
        relations=own["relations"],
        attributes=own["attributes"],
        positions=parameters["positions"],
        query=parameters["query"] @ parameters["key"].T / np.sqrt(model["width"]),
        mixing=parameters["value"] @ parameters["output"],
        up=parameters["up.weight"],
        up_bias=parameters["up.bias"],
        down=parameters["down.weight"],
        down_bias=parameters["down.bias"],
        offset=float(bias[1, 0] - bias[1, 1]),
        token_residual=model["token_residual"],
        mlp_residual=model["mlp_residual"],
    )
