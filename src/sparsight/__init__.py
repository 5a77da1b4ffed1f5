"""Sparse modelling of images: inspect textures, restore what is missing.

Names are imported on first use, so ``import sparsight`` itself loads nothing heavy.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
