"""Groups and classes found among some of the images reach all of them."""

import torch

from elastic_infogan.training import discovery, steps
from elastic_infogan.training.state import setup


def test_images_that_were_not_looked_at_get_groups_and_labels_too(small, digits, monkeypatch):
    monkeypatch.setattr(discovery, "LOOKED_AT", 500)
    monkeypatch.setattr(discovery, "TOLD", 600)
    state = setup(small(), digits)
    steps.settle(state)
    discovery.balance(state)
    assert state.batches.groups.of.shape == (1797,)
    assert len(state.batches.groups.of.unique()) == 20
    discovery.discover(state)
    assert state.labels.shape == (1797,)
    assert set(state.labels.tolist()) <= set(range(10))
    told = torch.ones(1797, dtype=torch.bool)
    told[discovery._looked_at(state)] = False
    asked = torch.where(told)[0][600:]
    assert torch.equal(state.labels[asked], discovery.assign(state)[asked])
