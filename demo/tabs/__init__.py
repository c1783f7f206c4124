"""The tabs of the page, one module each: the controls of a tab and what they change.

:mod:`demo.views` makes what a tab shows.
"""

from demo.tabs.augment import AugmentTab
from demo.tabs.dataset import DatasetTab
from demo.tabs.detect import DetectTab
from demo.tabs.training import TrainingTab

TABS = (DetectTab, AugmentTab, DatasetTab, TrainingTab)
"""In the order of the page; the first is open at the start."""
