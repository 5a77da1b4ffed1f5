import numpy as np
from numpy.typing import NDArray

def instruction_set() -> str: ...

class AnchoredStage:
    def __init__(
        self,
        projection: NDArray[np.float32],
        anchors: NDArray[np.float32],
        regressors: NDArray[np.float32],
        *,
        cell: int,
        scale: int,
        n_nearest: int,
    ) -> None: ...
    def describe(self, source: NDArray[np.float32], n_threads: int) -> NDArray[np.float32]: ...
    def nearest(self, features: NDArray[np.float32], n_threads: int) -> NDArray[np.int32]: ...
    def correct(self, source: NDArray[np.float32], output: NDArray[np.float32], n_threads: int) -> None: ...
