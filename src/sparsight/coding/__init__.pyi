from ._result import Coding as Coding
from .omp import OrthogonalMatchingPursuitCoder as OrthogonalMatchingPursuitCoder
from .omp import orthogonal_matching_pursuit as orthogonal_matching_pursuit
