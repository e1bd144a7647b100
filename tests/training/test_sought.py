"""What --classes may be."""

import pytest

from elastic_infogan.errors import ConfigError
from elastic_infogan.training.sought import AUTO, Sought, sought


def test_a_number_a_range_and_auto():
    assert sought(7) == Sought(7, 7)
    assert sought(7).known
    assert sought("5-30") == Sought(5, 30)
    assert not sought("5-30").known
    assert sought("auto") == Sought(*AUTO)


@pytest.mark.parametrize("wrong", [1, 0, -3, "many", "5-", "30-5", "1-4", "5-30-40", "", "10", "٣-٥"])
def test_anything_else_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"--classes .*: a number of 2 or more, auto, or a range"):
        sought(wrong)
