"""The commands, `keras-resnet train` and its siblings: one module each."""
