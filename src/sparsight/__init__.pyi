from . import datasets as datasets
from . import errors as errors
from . import evaluation as evaluation
from . import images as images
from . import restoration as restoration
from .dictionaries import KSVD as KSVD
from .dictionaries import CoupledDictionaries as CoupledDictionaries
from .dictionaries import OnlineDictionary as OnlineDictionary
from .dictionaries import cosine_dictionary as cosine_dictionary
from .errors import SparsightError as SparsightError
from .images import Image as Image
from .images import as_image as as_image
from .images import list_images as list_images
from .images import read_image as read_image
from .images import read_mask as read_mask
from .images import write_image as write_image
from .inspection import AnomalyDetector as AnomalyDetector
from .restoration import Denoiser as Denoiser
from .restoration import GaussianMixturePrior as GaussianMixturePrior
from .restoration import Inpainter as Inpainter
from .restoration import SuperResolver as SuperResolver
from .restoration import denoise as denoise
from .restoration import imresize as imresize
from .restoration import inpaint as inpaint
from .restoration import upscale as upscale

__version__: str
