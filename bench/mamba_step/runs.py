"""The same training run by geomem's trainer and by transformers' Mamba in PyTorch.

K = 1 member · B sequences · T tokens · L predicted tokens at the end of each
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.bench.peers import import_peer

if TYPE_CHECKING:
    from geomem.train.stack.batches import Part

STEPS = 550
KEPT_BATCHES = 32  # made ahead for the peer, and used in turns
NAMES = {  # ours -> theirs; linear maps are transposed
    "norm.weight": "norm.weight",
    "in.weight": "mixer.in_proj.weight",
    "conv.weight": "mixer.conv1d.weight",
    "conv.bias": "mixer.conv1d.bias",
    "x.weight": "mixer.x_proj.weight",
    "dt.weight": "mixer.dt_proj.weight",
    "dt.bias": "mixer.dt_proj.bias",
    "A_log": "mixer.A_log",
    "D": "mixer.D",
    "out.weight": "mixer.out_proj.weight",
}
TRANSPOSED = ("in.weight", "x.weight", "dt.weight", "out.weight")


class Trainer:
    """Geomem's trainer on a path-star graph, one step at a time."""

    def __init__(self, sizes: dict[str, int], device: str) -> None:
        from geomem.train.config.run import RunConfig
        from geomem.train.stack import build, members, state, step

        self.run = RunConfig.model_validate(
            {
                "graph": {"kind": "path_star", "arms": sizes["arms"], "length": sizes["length"]},
                "task": {"recipe": "mixed"},
                "model": {"kind": "mamba", "layers": 1, "width": 64, "state": 8},
                "optim": {"lr": 3e-3, "warmup_steps": 50},
                "train": {
                    "steps": STEPS,
                    "edge_batch": sizes["edges"],
                    "path_batch": sizes["paths"],
                },
                "seed": 0,
            }
        )
        runs, place = [self.run], torch.device(device)
        self.task = build.build_task(runs, place)
        model: Any = build.build_model(self.run, self.task)
        self.state = state.State(runs, model, place)
        self._stage = members.stages_of(self.run)[0]
        self.task.enter(self._stage)
        self.rates = members.Rates(runs, 0).table(0, STEPS).to(place)
        self._step = step.Step(runs, model, self.state, members.Settings(runs, place))

    def step(self) -> Tensor:
        """Sample a batch, train on it and return the loss before the step."""
        i = self.state.step % STEPS
        if i == 0:
            self._step.start(self._stage, i)
        before = self.state.loss_sum.clone()
        self._step(self.task.parts(i), self.rates[i])
        self.state.step += 1
        return (self.state.loss_sum - before)[0]


class Peer:
    """Transformers' Mamba, slow path, with the trainer's weights, batches, rates and AdamW.

    padded: all sequences in one batch; else one call for the edges and one for the paths. Only
    the tokens that are predicted are scored, and batches are made ahead.
    """

    def __init__(
        self, sizes: dict[str, int], device: str, dtype: torch.dtype, padded: bool
    ) -> None:
        ours = Trainer(sizes, device)
        self._model = _copy(ours, device).to(dtype)
        optim = ours.run.optim
        self._optimiser = torch.optim.AdamW(
            self._model.parameters(),
            betas=optim.betas,
            eps=optim.eps,
            weight_decay=optim.weight_decay,
        )
        self._rates = ours.rates[:, 0].tolist()
        make = _padded if padded else _apart
        self._batches = [make(ours.task.parts(i)) for i in range(KEPT_BATCHES)]
        self._at = 0

    def step(self) -> Tensor:
        """Train on the next batch and return the loss before the step."""
        calls, targets = self._batches[self._at % KEPT_BATCHES]
        for group in self._optimiser.param_groups:
            group["lr"] = self._rates[self._at % STEPS]
        self._at += 1
        rows = [self._model.backbone(tokens).last_hidden_state[where] for tokens, where in calls]
        scores = self._model.lm_head(torch.cat(rows))
        loss = F.cross_entropy(scores, targets)
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        return loss.detach()


Batch = tuple[list[tuple[Tensor, Tensor]], Tensor]
"""For each call its tokens [B, T] and which of them predict, bool [B, T]; all targets."""


def _whole(part: "Part") -> tuple[Tensor, Tensor]:
    """Tokens of the only member with their prefix, [B, T], and which predict."""
    tokens, prefix = part.segment.tokens[0], part.segment.prefix[0]
    whole = torch.cat([prefix.expand(tokens.shape[0], -1), tokens], 1)
    predicts = (
        torch.arange(whole.shape[1], device=whole.device) >= whole.shape[1] - part.segment.wanted
    )
    return whole, predicts.expand(whole.shape)


def _targets(parts: "list[Part]") -> Tensor:
    assert all(isinstance(part.targets, Tensor) for part in parts)
    return torch.cat([part.targets[0] for part in parts if isinstance(part.targets, Tensor)])


def _apart(parts: "list[Part]") -> Batch:
    return [_whole(part) for part in parts], _targets(parts)


def _padded(parts: "list[Part]") -> Batch:
    found = [_whole(part) for part in parts]
    longest = max(tokens.shape[1] for tokens, _ in found)
    tokens, where = (
        torch.cat([F.pad(tensor, (0, longest - tensor.shape[1])) for tensor in column])
        for column in zip(*found, strict=True)
    )
    return [(tokens, where)], _targets(parts)


def _copy(ours: Trainer, device: str) -> Any:
    """Return transformers' model with the trainer's parameters."""
    package = import_peer("transformers.models.mamba.modeling_mamba", "transformers")
    settings: Any = ours.run.model
    config = package.MambaConfig(
        vocab_size=ours.task.vocab,
        hidden_size=settings.width,
        state_size=settings.state,
        num_hidden_layers=settings.layers,
        conv_kernel=settings.conv,
        expand=settings.expand,
        time_step_rank=settings.rank,
        use_cache=False,
        use_mambapy=False,
        tie_word_embeddings=True,
    )
    model = package.MambaForCausalLM(config).to(device)
    theirs, params = dict(model.named_parameters()), ours.state.arena.params
    pairs = {"backbone.embeddings.weight": params["embedding"][0]}
    pairs["backbone.norm_f.weight"] = params["final_norm.weight"][0]
    for name, other in NAMES.items():
        value = params[f"block0.{name}"][0]
        pairs[f"backbone.layers.0.{other}"] = value.T if name in TRANSPOSED else value
    assert pairs.keys() == theirs.keys()
    with torch.no_grad():
        for name, value in pairs.items():
            theirs[name].copy_(value.reshape(theirs[name].shape))
    return model
