from .resize import imresize as imresize
