from ._mixture import GaussianMixturePrior as GaussianMixturePrior
from ._mixture import default_prior as default_prior
from .degradation import Degradation as Degradation
from .inpainting import RestorationWarning as RestorationWarning
from .inpainting import inpaint as inpaint
from .resize import imresize as imresize
from .super_resolution import SuperResolver as SuperResolver
