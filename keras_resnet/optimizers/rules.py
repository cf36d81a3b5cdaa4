"""How the papers' updates differ, as data. No Keras."""

# Which variables decay. "all": Caffe's and fb.resnet.torch's default, hence the
# papers'. "kernels": convolutions and the classifier's matrix, later practice.
DECAY_SCOPES = {"all": r".*", "kernels": r".*/kernel$"}

# What the momentum is of: they differ for some 1 / (1 - momentum) iterations
# after a change of the learning rate.
MOMENTUM_RULES = {
    "caffe": "m = momentum * m + rate * g, w -= m: the papers'",
    "torch": "m = momentum * m + g, w -= rate * m: fb.resnet.torch's",
}
