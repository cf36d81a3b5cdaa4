"""How updates of the weights differ, as data. No Keras."""

# Which variables decay. "all": Caffe's and fb.resnet.torch's default, hence the
# papers'. "kernels": convolutions and the classifier's matrix, later practice.
DECAY_SCOPES = {"all": r".*", "kernels": r".*/kernel$"}

# What the momentum accumulates. The rules differ for some 1 / (1 - momentum)
# iterations after a change of the learning rate.
MOMENTUM_RULES = {
    "caffe": "m = momentum * m + rate * g, w -= m: the papers'",
    "torch": "m = momentum * m + g, w -= rate * m: fb.resnet.torch's",
}

OPTIMIZERS = {
    "sgd": "momentum SGD, weight_decay coupled into the momentum: the papers'",
    "adamw": "Adam, with momentum as beta 1; the decay is apart from it",
    "lamb": "Adam's step as long as the weights times the rate, variable by "
    "variable; the decay is in the step",
    "muon": "the momentum of each convolution made orthogonal, adamw for the "
    "rest",
}
