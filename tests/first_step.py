"""What a stack's first step finds, without taking it."""

import torch

from geomem.train.stack.build import build_model, build_task
from geomem.train.stack.gradients import Gradients
from geomem.train.stack.members import Settings, stages_of
from geomem.train.stack.state import State

CPU = torch.device("cpu")


def first_step(runs):
    """Return the parameters of a stack at its start by name, names of weights, and `Found`."""
    task = build_task(runs, CPU)
    model = build_model(runs[0], task)
    state = State(runs, model, CPU)
    stage, arena = stages_of(runs[0])[0], state.arena
    task.enter(stage)
    gradients = Gradients(runs, model, list(arena.trained()), Settings(runs, CPU))
    weights = {name for name, p in model.parameters().items() if p.product}
    found = gradients.find(arena.params, task.parts(0), torch.tensor(0))
    return arena.trained(), weights, found
