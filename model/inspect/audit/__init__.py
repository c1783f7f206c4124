"""What settings of the augmentation do to all boxes of a data set, before anything is trained.

Everything but the pictures comes from the plan alone (:mod:`model.augment.plan`): no photo is
opened. For the same seed, photo and epoch the numbers are those of the boxes ``train.py`` draws.
"""
