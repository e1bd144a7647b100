"""Losses: their means since the last line, unless one has left what training recovers from."""

import pytest
import torch

from elastic_infogan.errors import TrainingError
from elastic_infogan.training.telemetry import EXPLODED, Meter


def meter_of(*values):
    meter = Meter()
    for value in values:
        meter.add({"contrast": torch.tensor(value)}, images=8)
    return meter


def test_a_line_has_the_mean_of_each_loss():
    assert meter_of(1.0, 3.0).means(step=2) == {"contrast": 2.0}
    assert meter_of(EXPLODED).means(step=1) == {"contrast": EXPLODED}


@pytest.mark.parametrize(
    ("value", "shown"), [(2.5e4, "25000"), (-2.5e4, "-25000"), (float("nan"), "nan"), (float("inf"), "inf")]
)
def test_a_loss_that_exploded_ends_the_training(value, shown):
    with pytest.raises(TrainingError, match=f"the loss 'contrast' became {shown} by step 7: .*--new"):
        meter_of(value).means(step=7)
