"""The report: results of a run as files, and one self-contained page to hand on."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
