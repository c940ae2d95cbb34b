"""The examples of the README, as they stand."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[3] / "README.md"


def example(number):
    """The commands of an example."""
    found = re.search(rf"^\*\*{number}\. .*?^```\n(.*?)^```$", README.read_text(), re.M | re.S)
    if not found:
        raise ValueError(f"the README has no example {number}")
    return found.group(1)
