from .degradation import Degradation as Degradation
from .resize import imresize as imresize
from .super_resolution import SuperResolver as SuperResolver
