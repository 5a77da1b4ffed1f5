"""Draw the pictures of examples/README.md into docs/pictures: ``python -m benchmarks.example_pictures [NAME...]``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks._documents import DOCS

EXAMPLES = DOCS.parent / "examples"
#: Pictures get as many colours as let them stay below this, for they are kept in the repository.
_MOST_BYTES = 200_000


def main() -> None:
    names = sys.argv[1:] or sorted(path.stem for path in EXAMPLES.glob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            drawn = Path(folder) / f"{name}.png"
            environment = os.environ | {"MPLBACKEND": "Agg"}
            subprocess.run([sys.executable, EXAMPLES / f"{name}.py", drawn], check=True, env=environment)
            _save_small(Image.open(drawn).convert("RGB"), DOCS / "pictures" / drawn.name)


def _save_small(picture: Image.Image, path: Path) -> None:
    for n_colours in (256, 128, 64, 32):
        palette = picture.quantize(n_colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        palette.save(path, optimize=True)
        if path.stat().st_size < _MOST_BYTES:
            return
    raise SystemExit(f"{path.name} is larger than {_MOST_BYTES} bytes; draw it smaller.")


if __name__ == "__main__":
    main()
