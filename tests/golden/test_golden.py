"""Every command answers as it did: texts by line, numbers to 1e-12. `regenerate.py` beside this writes them anew."""

import pytest

from tests.golden import record
from tests.golden.cases import CASES, LIKES
from tests.golden.compare import differences, told
from tests.golden.run import run


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_the_golden_one(name):
    case = CASES[name]
    found = differences(case.sure(record.kept(name, LIKES)), run(case), case.rel, case.floor)
    assert not found, "\n".join([told(name, found), record.other_versions()])


def test_every_golden_file_has_its_case():
    assert {path.stem for path in record.ANSWERS.glob("*.txt")} == set(CASES)
