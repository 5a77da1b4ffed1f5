from . import errors as errors
from .dictionaries import KSVD as KSVD
from .dictionaries import cosine_dictionary as cosine_dictionary
from .errors import SparsightError as SparsightError
from .inspection import AnomalyDetector as AnomalyDetector

__version__: str
