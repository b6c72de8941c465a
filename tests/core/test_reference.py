"""What is named is found when it is asked for, and a name that is none is said to be so."""

import fractions
import sys

import pytest

from appliance.core.reference import find


def test_a_function_and_a_method_are_found_by_name() -> None:
    assert find("fractions:Fraction") is fractions.Fraction
    assert find("fractions:Fraction.from_float")(0.5).denominator == 2


def test_naming_imports_nothing_until_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    named = "colorsys:rgb_to_hsv"
    assert "colorsys" not in sys.modules
    find(named)
    assert "colorsys" in sys.modules


@pytest.mark.parametrize("wrong", ["", "fractions", "fractions:", ":Fraction"])
def test_a_name_without_module_or_object_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"package\.module:name"):
        find(wrong)


def test_what_does_not_exist_is_an_error() -> None:
    with pytest.raises(ImportError):
        find("appliance.no_such_module:x")
    with pytest.raises(AttributeError):
        find("fractions:NoSuchThing")
