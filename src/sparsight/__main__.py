"""``python -m sparsight`` is ``sparsight``."""

from sparsight.cli import main

main()
