"""The images of NanoTWICE: which are normal, which serve to choose parameters, which to report on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VALIDATION = {"ITIA1108", "ITIA1115", "ITIA1127", "ITIA1131", "ITIA1135"}


@dataclass(frozen=True)
class NanoTwice:
    """The folder with `normal/`, `anomalous/` and `ground_truth/`."""

    folder: Path

    @property
    def normal(self) -> list[Path]:
        """Images without defects, to train on."""
        return sorted((self.folder / "normal").glob("*.tif"))

    @property
    def validation(self) -> list[Path]:
        """Images with defects on which parameters may be chosen."""
        return [path for path in self._anomalous() if path.stem in VALIDATION]

    @property
    def test(self) -> list[Path]:
        """Images with defects to report on."""
        return [path for path in self._anomalous() if path.stem not in VALIDATION]

    def truth(self, image: Path) -> Path:
        """The mask of an image's defects."""
        return self.folder / "ground_truth" / f"{image.stem}_gt.png"

    def _anomalous(self) -> list[Path]:
        return sorted((self.folder / "anomalous").glob("*.tif"))
