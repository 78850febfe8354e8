"""The picture of the packages is that of the sources."""

import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from architecture import ROLES, TARGET, draw, imports  # noqa: E402


def test_the_picture_is_up_to_date():
    assert TARGET.read_text(encoding="utf-8") == draw(), "run tools/architecture.py"


def test_every_package_and_import_is_drawn():
    root = ElementTree.fromstring(draw())
    text = " ".join(root.itertext())
    assert all(package.replace("_", "-") in text for package in ROLES)
    lines = [node for node in root.iter("{http://www.w3.org/2000/svg}path") if node.get("marker-end")]
    assert len(lines) == sum(map(len, imports().values())) == 9


def test_files_that_the_pages_name_are_there():
    import re

    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(cg_[a-z]+/[\w/]+(?:\.py|/))`", page))
    assert len(named) > 20
    missing = [
        name for name in named if not (ROOT / "packages" / name.split("/")[0].replace("_", "-") / "src" / name).exists()
    ]
    assert not missing
