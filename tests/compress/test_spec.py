"""quantization.json says its format and its scheme."""

from __future__ import annotations

import pytest

from openautoglm.compress.spec import check_spec, new_spec


def test_own_format_and_scheme_are_read():
    spec = new_spec("weights", weights={"head": 4})
    assert spec == {"format": 1, "scheme": "weights", "weights": {"head": 4}}
    check_spec(spec, "weights")


@pytest.mark.parametrize("changed", [{"format": 2}, {"format": None}, {"scheme": "int8"}])
def test_others_are_refused(changed):
    with pytest.raises(ValueError, match="this version reads format 1, scheme 'weights' here"):
        check_spec({"format": 1, "scheme": "weights", **changed}, "weights")
