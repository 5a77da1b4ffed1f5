"""What docs/coding.md shows runs, gives what it says, and leads somewhere."""

import doctest
import re
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "coding.md"


def test_the_code_gives_what_the_page_says():
    found = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert found.attempted > 20
    assert found.failed == 0


def test_pictures_are_where_the_page_says():
    examples = (PAGE.parent.parent / "examples" / "README.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.+)$", examples, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).replace(" ", "-").lower() for title in titles}
    links = re.findall(r"README\.md#([\w-]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(links) > 10
    assert set(links) <= anchors
