"""The tabs of the page: a module each, which knows its controls and what they change.

What they show is made in :mod:`demo.views`.
"""

from demo.tabs.augment import AugmentTab
from demo.tabs.dataset import DatasetTab
from demo.tabs.detect import DetectTab
from demo.tabs.training import TrainingTab

TABS = (DetectTab, AugmentTab, DatasetTab, TrainingTab)
"""In order; the first is open when the page opens."""
