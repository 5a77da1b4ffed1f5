from ._atoms import cosine_dictionary as cosine_dictionary
from .bpdn import BPDNDictionary as BPDNDictionary
from .coupled import CoupledDictionaries as CoupledDictionaries
from .ksvd import KSVD as KSVD
from .multiscale import MultiscaleDictionary as MultiscaleDictionary
from .online import OnlineDictionary as OnlineDictionary
