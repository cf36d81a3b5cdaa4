"""Optimizers. Each name is loaded on first use: importing Keras takes time."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adaptive": ["AdamW", "Lamb", "Muon"],
        "rules": ["DECAY_SCOPES", "MOMENTUM_RULES", "OPTIMIZERS"],
        "sgd": ["SGD"],
    },
)
