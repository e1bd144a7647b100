"""Groups and classes found among some of the images reach all of them."""

import pytest
import torch

from elastic_infogan.training import discovery, steps
from elastic_infogan.training.config import Views
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
    assert torch.equal(discovery.assign(state, asked), discovery.assign(state)[asked])
    assert torch.equal(state.labels[asked], discovery.assign(state)[asked])


def test_large_images_are_asked_about_few_at_a_time(small, digits, monkeypatch):
    state = setup(small(), digits)
    assert discovery._chunk(state) == discovery.CHUNK
    monkeypatch.setattr(discovery, "CHUNK_VALUES", 1000)  # fifteen images of 64 values
    asked = []
    answer = type(state.model).posterior
    monkeypatch.setattr(
        type(state.model),
        "posterior",
        lambda model, images: asked.append(len(images)) or answer(model, images),
    )
    discovery.assign(state)
    assert (max(asked), sum(asked)) == (15, 1797)


@pytest.mark.parametrize(
    ("preset", "times", "has_a_say"), [("digits", 2, True), ("digits", 1, False), ("letters", 2, False)]
)
def test_what_strokes_enclose_has_a_say_in_handwriting_that_has_room_for_it(
    small, digits, preset, times, has_a_say
):
    """Serifs enclose as much as strokes do, and at 8 pixels strokes are as wide as what they enclose."""
    images = digits[:64].repeat(times, 1).repeat(times, 2)
    state = setup(small(views=Views(preset=preset)), images)
    enclosing = discovery.looks_of(state, torch.arange(48)).concavities
    assert (enclosing is not None) == has_a_say
    if enclosing is not None:
        assert enclosing.shape[:2] == (48, 5)
        assert enclosing.amax() > 0.5
