"""Entry points of other packages: found, or one sentence with the package at fault."""

import pytest

from lindyn import _extensions
from lindyn._extensions import collected, extensions
from tests.extensions import installed

GROUP = "lindyn.laws"


def test_a_module_and_an_object_of_it_are_found(tmp_path):
    points = {"module": "my_pkg.laws", "object": "my_pkg.laws:ONE", "dotted": "my_pkg.laws.ONE"}
    with installed(tmp_path, {"my_pkg/__init__.py": "", "my_pkg/laws.py": "ONE = 1"}, {GROUP: points}):
        found, notes = extensions(GROUP)
        assert not notes and {each.package for each in found} == {"my_pkg"}
        values = {each.name: each.value for each in found}
        assert values["object"] == values["dotted"] == values["module"].ONE == 1
        assert extensions("lindyn.flows") == ((), ())
    assert extensions(GROUP) == ((), ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import not_installed_anywhere", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def", "SyntaxError"),
        ("raise SystemExit", "SystemExit"),
    ],
)
def test_one_that_cannot_be_imported_costs_one_sentence(tmp_path, text, told):
    files = {"my_pkg/__init__.py": "", "my_pkg/good.py": "ONE = 1", "my_pkg/bad.py": text}
    with installed(tmp_path, files, {GROUP: {"a": "my_pkg.bad", "b": "my_pkg.good:ONE"}}):
        found, notes = extensions(GROUP)
    assert [each.name for each in found] == ["b"]
    (note,) = notes
    assert note.startswith("The package my_pkg is at fault: its entry point a = 'my_pkg.bad'") and told in note


def test_a_name_that_is_taken_is_left_out_and_its_package_named(tmp_path):
    with installed(tmp_path, {"my_pkg.py": "A, B = 'alpha', 'beta'"}, {GROUP: {"a": "my_pkg:A", "b": "my_pkg:B"}}):
        table, notes = collected(GROUP, "law", ["alpha "], lambda each: [each.value + " "], str.strip)
    assert list(table) == ["alpha", "beta"]
    assert notes == ("The package my_pkg is at fault: its law 'alpha' has the name of one of lindyn and is left out.",)


def test_one_of_the_wrong_kind_and_an_empty_one_are_told(tmp_path):
    def read(extension):
        if extension.value is None:
            return []
        raise ValueError("it is no law.")

    with installed(tmp_path, {"my_pkg.py": "A, B = 1, None"}, {GROUP: {"a": "my_pkg:A", "b": "my_pkg:B"}}):
        table, notes = collected(GROUP, "law", [], read, str)
    assert not table and [note.rpartition(": ")[2] for note in notes] == [
        "it is no law.", "its entry point b in lindyn.laws holds no law."
    ]  # fmt: skip


def test_the_groups_are_named_once():
    assert set(_extensions.GROUPS) == {"lindyn.layouts", "lindyn.laws", "lindyn.rules", "lindyn.flows"}
