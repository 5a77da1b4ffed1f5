"""Sparse coding: few atoms of a dictionary that explain each patch.

Every coder takes patches (n, P), a dictionary (M, P) and an optional mask (n, P), True where a
value is missing, and returns a `Coding`. One problem per module; each is also a transformer.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
