from . import errors as errors
from .errors import SparsightError as SparsightError

__version__: str
