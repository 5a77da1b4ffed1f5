from ._atoms import cosine_dictionary as cosine_dictionary
from .ksvd import KSVD as KSVD
