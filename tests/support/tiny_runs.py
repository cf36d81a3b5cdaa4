"""Recipes of experiments that take seconds."""

# Two units: the second halves the maps.
SHAPE = {
    "image_size": 8,
    "eval_resize": 8,
    "depths": (1, 1),
    "filters": (16, 32),
}
TINY = {**SHAPE, "augmentation": "none", "batch_size": 8}
FOUR_STEPS = {
    **TINY,
    "steps": 4,
    "boundaries": (3,),
    "eval_every_steps": 2,
    "checkpoint_every_steps": 2,
    "log_every_steps": 1,
}
