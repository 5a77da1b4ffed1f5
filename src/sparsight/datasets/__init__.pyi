from ._nanofibres.sample import NanofibreSample as NanofibreSample
from ._nanofibres.sample import nanofibres as nanofibres
from .folders import ImageCollection as ImageCollection
from .folders import LabelledImage as LabelledImage
from .folders import pair_masks as pair_masks
from .folders import read_collection as read_collection
