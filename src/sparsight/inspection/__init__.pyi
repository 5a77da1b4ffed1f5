from .calibration import Calibration as Calibration
from .conformal import conformal_threshold as conformal_threshold
from .defects import Defect as Defect
from .defects import Inspection as Inspection
from .defects import find_defects as find_defects
from .detector import AnomalyDetector as AnomalyDetector
from .explanations import Explanation as Explanation
from .normality import NormalityRegion as NormalityRegion
