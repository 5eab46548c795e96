"""What axe-core says of every page of a built site: `python -m tests.site_pages FOLDER`; 1 where it finds anything."""

import sys
from pathlib import Path

from tests.explore import browser


def main(folder):
    """Print what is found, a line each; where there is no browser, or no axe-core, say so."""
    if browser.CHROMIUM is None or not Path(browser.AXE).is_file():
        print("the pages were not looked at: no Chromium, or no axe-core (LINDYN_AXE)")
        return 0
    pages = sorted(page for page in Path(folder).rglob("*.html") if "_static" not in page.parts)
    found = []
    with browser.opened() as (context, _):
        for page in pages:
            shown = context.new_page()
            shown.goto(page.resolve().as_uri())
            found += [f"{page.relative_to(folder)}: {told}" for told in browser.violations(shown)]
            shown.close()
    print("\n".join([*found, f"axe-core looked at {len(pages)} pages: {len(found)} violations"]))
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
