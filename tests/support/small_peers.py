"""Peers' networks with few units and channels, which peers do not offer."""

import peers
import pytest


def smaller(make_stage, sizes):
    """`make_stage`, but with the filters and units of `sizes`."""

    def make(*others, **choices):
        *others, filters, _ = others
        stage = (64, 128, 256, 512).index(filters)
        small = sizes["filters"][stage], sizes["depths"][stage]
        return make_stage(*others, *small, **choices)

    return make


def torchvision(name, classes, sizes, **choices):
    """A network of random weights, of its own sizes if `sizes` is {}."""
    models = peers.torchvision_models()
    row = models.resnet.ResNet
    with pytest.MonkeyPatch.context() as patch:
        if sizes:
            patch.setattr(row, "_make_layer", smaller(row._make_layer, sizes))
        net = models.get_model(name, num_classes=classes, **choices)
    net.fc = peers.torch_module().nn.Linear(net.inplanes, classes)
    return peers.fill_torch(net)
