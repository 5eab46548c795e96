"""What axe-core says of every page of a built site: `python -m tests.site_pages FOLDER`; 1 where it finds anything."""

import argparse
import sys
from pathlib import Path

from tests.explore import browser


def main(words=None):
    """Print what is found, a line each; where there is no browser, or no axe-core, say so."""
    parser = argparse.ArgumentParser(prog="python -m tests.site_pages", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the site, built by sphinx-build -b html")
    folder = parser.parse_args(words).folder
    pages = sorted(page for page in folder.rglob("*.html") if "_static" not in page.parts)
    if not pages:  # a wrong folder must not pass for a site without violations
        print(f"there is no page in {folder}", file=sys.stderr)
        return 2
    if browser.CHROMIUM is None or not Path(browser.AXE).is_file():
        print("the pages were not looked at: no Chromium, or no axe-core (LINDYN_AXE)")
        return 0
    found = []
    with browser.opened() as (context, _):
        for page in pages:
            shown = context.new_page()
            shown.goto(page.resolve().as_uri())
            found += [f"{page.relative_to(folder)}: {told}" for told in browser.violations(shown)]
            shown.close()
    print("\n".join([*found, f"axe-core looked at {len(pages)} pages: {len(found)} violations"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
