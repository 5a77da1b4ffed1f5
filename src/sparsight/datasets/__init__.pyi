from ._nanofibres.sample import NanofibreSample as NanofibreSample
from ._nanofibres.sample import nanofibres as nanofibres
