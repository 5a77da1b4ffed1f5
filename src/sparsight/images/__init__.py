"""Any image in and out: pixels as the file holds them, their stated range, their physical size."""

from .image import Image as Image
from .listing import list_images as list_images
from .reading import as_image as as_image
from .reading import read_image as read_image
from .reading import read_mask as read_mask
from .writing import write_image as write_image

__all__ = ["Image", "as_image", "list_images", "read_image", "read_mask", "write_image"]
