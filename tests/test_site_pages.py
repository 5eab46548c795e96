"""The script that looks at the pages of a built site; axe-core itself is asked in `.ci/run`."""

import pytest

from tests import site_pages
from tests.explore import browser


@pytest.mark.parametrize("folder", ["empty", "only_static", "nowhere"])
def test_a_folder_without_pages_is_no_clean_site(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "only_static" / "_static").mkdir(parents=True)
    (tmp_path / "only_static" / "_static" / "one.html").write_text("<p>not a page of ours</p>")
    assert site_pages.main([str(tmp_path / folder)]) == 2
    assert capsys.readouterr() == ("", f"there is no page in {tmp_path / folder}\n")


def test_the_folder_must_be_given(capsys):
    with pytest.raises(SystemExit) as stop:
        site_pages.main([])
    assert stop.value.code == 2 and "required: FOLDER" in capsys.readouterr().err


def test_without_a_browser_it_says_that_it_did_not_look(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(browser, "CHROMIUM", None)
    (tmp_path / "index.html").write_text("<p>a page</p>")
    assert site_pages.main([str(tmp_path)]) == 0
    assert "the pages were not looked at" in capsys.readouterr().out
