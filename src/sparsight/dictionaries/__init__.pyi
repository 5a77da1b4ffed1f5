from ._atoms import cosine_dictionary as cosine_dictionary
from .coupled import CoupledDictionaries as CoupledDictionaries
from .ksvd import KSVD as KSVD
from .online import OnlineDictionary as OnlineDictionary
