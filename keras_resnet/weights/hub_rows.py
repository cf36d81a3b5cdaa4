"""Repositories of the hub as rows: each tag that is known to fit a network.

Sources: timm's views, constants and licences are from timm/models/resnet.py and
resnetv2.py, default_cfgs (1.0.31; a test compares). Its accuracies are from
results/results-imagenet.csv of its repository, commit of 2026-08-08, at that
size and crop. Nobody publishes a number for Microsoft's (transformers) and
KerasHub's; their files say what they see.

A repository is listed only if the table of networks has its variant.
"""

import math

from keras_resnet.networks import specs
from keras_resnet.weights import descriptions
from keras_resnet.weights.published_rows import IMAGENET_MEAN
from keras_resnet.weights.published_rows import IMAGENET_STD
from keras_resnet.weights.published_rows import Weights

# name, pixels of the crop, crop over the resized side, interpolation, pixel
# constants, top-1 and top-5 in percent, licence; "-" means: not published.
_TIMM = """\
resnet18.a1_in1k                 224 0.95  bicubic  std  71.504 90.086 apache
resnet18.a2_in1k                 224 0.95  bicubic  std  70.634 89.486 apache
resnet18.a3_in1k                 160 0.95  bicubic  std  65.670 86.268 apache
resnet18.fb_ssl_yfcc100m_ft_in1k 224 0.875 bilinear std  72.636 91.416 nc
resnet18.fb_swsl_ig1b_ft_in1k    224 0.875 bilinear std  73.286 91.754 nc
resnet18.gluon_in1k              224 0.875 bicubic  std  70.844 89.750 apache
resnet18.tv_in1k                 224 0.875 bilinear std  69.752 89.082 bsd
resnet34.a1_in1k                 224 0.95  bicubic  std  76.420 92.896 apache
resnet34.a2_in1k                 224 0.95  bicubic  std  75.520 92.454 apache
resnet34.a3_in1k                 160 0.95  bicubic  std  70.580 89.540 apache
resnet34.bt_in1k                 224 0.875 bicubic  std  75.176 92.166 apache
resnet34.gluon_in1k              224 0.875 bicubic  std  74.574 91.988 apache
resnet34.ra4_e3600_r224_in1k     224 0.9   bicubic  half 77.492 93.498 apache
resnet34.tv_in1k                 224 0.875 bilinear std  73.298 91.422 bsd
resnet50.a1_in1k                 224 0.95  bicubic  std  80.382 94.598 apache
resnet50.a1h_in1k                176 0.9   bicubic  std  79.264 94.498 apache
resnet50.a2_in1k                 224 0.95  bicubic  std  79.828 94.560 apache
resnet50.a3_in1k                 160 0.95  bicubic  std  75.994 92.494 apache
resnet50.am_in1k                 224 0.875 bicubic  std  79.004 94.392 apache
resnet50.b1k_in1k                224 0.95  bicubic  std  79.564 94.622 apache
resnet50.b2k_in1k                224 0.95  bicubic  std  79.388 94.580 apache
resnet50.bamboo                  224 1.0   bicubic  std  - - -
resnet50.bt_in1k                 224 0.875 bicubic  std  78.444 94.274 apache
resnet50.c1_in1k                 224 0.95  bicubic  std  79.766 94.954 apache
resnet50.c2_in1k                 224 0.95  bicubic  std  79.868 94.862 apache
resnet50.d_in1k                  224 0.95  bicubic  std  79.904 94.666 apache
resnet50.fb_ssl_yfcc100m_ft_in1k 224 0.875 bilinear std  79.252 94.826 nc
resnet50.fb_swsl_ig1b_ft_in1k    224 0.875 bilinear std  81.146 95.980 nc
resnet50.gluon_in1k              224 0.875 bicubic  std  77.580 93.704 apache
resnet50.ra_in1k                 224 0.875 bicubic  std  78.820 94.314 apache
resnet50.ram_in1k                224 0.875 bicubic  std  79.034 94.386 apache
resnet50.tv2_in1k                176 0.875 bilinear std  79.434 94.640 bsd
resnet50.tv_in1k                 224 0.875 bilinear std  76.156 92.866 bsd
resnet101.a1_in1k                224 0.95  bicubic  std  81.494 95.164 apache
resnet101.a1h_in1k               224 0.95  bicubic  std  81.950 95.760 apache
resnet101.a2_in1k                224 0.95  bicubic  std  81.344 95.198 apache
resnet101.a3_in1k                160 0.95  bicubic  std  77.928 93.686 apache
resnet101.gluon_in1k             224 0.875 bicubic  std  79.306 94.538 apache
resnet101.tv2_in1k               176 0.875 bilinear std  79.908 94.606 bsd
resnet101.tv_in1k                224 0.875 bilinear std  77.404 93.552 bsd
resnet152.a1_in1k                224 0.95  bicubic  std  81.998 95.294 apache
resnet152.a1h_in1k               224 0.95  bicubic  std  82.818 96.124 apache
resnet152.a2_in1k                224 0.95  bicubic  std  81.764 95.270 apache
resnet152.a3_in1k                160 0.95  bicubic  std  78.896 94.140 apache
resnet152.gluon_in1k             224 0.875 bicubic  std  79.712 94.720 apache
resnet152.tv2_in1k               176 0.875 bilinear std  80.222 94.650 bsd
resnet152.tv_in1k                224 0.875 bilinear std  78.330 94.046 bsd
resnet18d.ra2_in1k               224 0.875 bicubic  std  72.296 90.682 apache
resnet18d.ra4_e3600_r224_in1k    224 0.9   bicubic  half 74.356 91.826 apache
resnet34d.ra2_in1k               224 0.875 bicubic  std  77.108 93.372 apache
resnet50d.a1_in1k                224 0.95  bicubic  std  80.730 94.678 apache
resnet50d.a2_in1k                224 0.95  bicubic  std  80.268 94.642 apache
resnet50d.a3_in1k                160 0.95  bicubic  std  77.222 93.256 apache
resnet50d.gluon_in1k             224 0.875 bicubic  std  79.080 94.458 apache
resnet50d.ra2_in1k               224 0.875 bicubic  std  80.546 95.160 apache
resnet50d.ra4_e3600_r224_in1k    224 0.95  bicubic  half 80.956 95.380 apache
resnet101d.gluon_in1k            224 0.875 bicubic  std  80.466 95.034 apache
resnet101d.ra2_in1k              256 0.95  bicubic  std  82.254 96.070 apache
resnet152d.gluon_in1k            224 0.875 bicubic  std  80.476 95.194 apache
resnet152d.ra2_in1k              256 0.95  bicubic  std  83.160 96.370 apache
resnet200d.ra2_in1k              256 0.95  bicubic  std  83.250 96.552 apache
wide_resnet50_2.racm_in1k        224 0.875 bicubic  std  81.466 95.544 apache
wide_resnet50_2.tv2_in1k         176 0.875 bilinear std  80.442 95.076 bsd
wide_resnet50_2.tv_in1k          224 0.875 bilinear std  78.486 94.084 bsd
wide_resnet101_2.tv2_in1k        176 0.875 bilinear std  80.494 94.978 bsd
wide_resnet101_2.tv_in1k         224 0.875 bilinear std  78.862 94.312 bsd
resnext50_32x4d.a1_in1k          224 0.95  bicubic  std  80.526 94.458 apache
resnext50_32x4d.a1h_in1k         224 0.95  bicubic  std  81.140 95.320 apache
resnext50_32x4d.a2_in1k          224 0.95  bicubic  std  80.444 94.630 apache
resnext50_32x4d.a3_in1k          160 0.95  bicubic  std  77.732 93.314 apache
resnext50_32x4d.fb_ssl_yfcc100m_ft_in1k 224 0.875 bilinear std  80.316 95.386 nc
resnext50_32x4d.fb_swsl_ig1b_ft_in1k 224 0.875 bilinear std  82.162 96.224 nc
resnext50_32x4d.gluon_in1k       224 0.875 bicubic  std  79.354 94.424 apache
resnext50_32x4d.ra_in1k          224 0.875 bicubic  std  79.800 94.608 apache
resnext50_32x4d.tv2_in1k         176 0.875 bilinear std  79.384 94.302 bsd
resnext50_32x4d.tv_in1k          224 0.875 bilinear std  77.632 93.674 bsd
resnext101_32x8d.fb_ssl_yfcc100m_ft_in1k 224 0.875 bilinear std 81.620 96.036 nc
resnext101_32x8d.fb_swsl_ig1b_ft_in1k 224 0.875 bilinear std  84.276 97.188 nc
resnext101_32x8d.fb_wsl_ig1b_ft_in1k 224 0.875 bilinear std  82.720 96.624 nc
resnext101_32x8d.tv2_in1k        176 0.875 bilinear std  81.990 95.716 bsd
resnext101_32x8d.tv_in1k         224 0.875 bilinear std  79.308 94.530 bsd
resnext101_64x4d.c1_in1k         224 0.95  bicubic  std  82.446 95.920 apache
resnext101_64x4d.gluon_in1k      224 0.875 bicubic  std  80.640 95.000 apache
resnext101_64x4d.tv_in1k         224 0.875 bilinear std  82.978 96.252 bsd
resnetv2_18.ra4_e3600_r224_in1k  224 0.9   bicubic  half 73.572 91.356 apache
resnetv2_34.ra4_e3600_r224_in1k  224 0.9   bicubic  half 77.626 93.518 apache
resnetv2_50.a1h_in1k             224 0.95  bicubic  half 80.410 95.082 apache
resnetv2_101.a1h_in1k            224 0.95  bicubic  half 82.042 95.866 apache
"""
_CONSTANTS = {
    "std": (IMAGENET_MEAN, IMAGENET_STD),
    "half": ((127.5,) * 3, (127.5,) * 3),
}
_LICENCES = {
    "apache": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "nc": "CC-BY-NC-4.0",
}

# {name at the hub: our variant}.
_OTHERS = {
    "microsoft/resnet-18": "resnet18",
    "microsoft/resnet-34": "resnet34",
    "microsoft/resnet-50": "resnet50_v1_5",
    "microsoft/resnet-101": "resnet101_v1_5",
    "microsoft/resnet-152": "resnet152_v1_5",
    "keras/resnet_18_imagenet": "resnet18",
    "keras/resnet_50_imagenet": "resnet50_v1_5",
    "keras/resnet_101_imagenet": "resnet101_v1_5",
    "keras/resnet_152_imagenet": "resnet152_v1_5",
    "keras/resnet_v2_50_imagenet": "resnet50_v2_timm",
    "keras/resnet_v2_101_imagenet": "resnet101_v2_timm",
    "keras/resnet_vd_18_imagenet": "resnet18_d",
    "keras/resnet_vd_34_imagenet": "resnet34_d",
    "keras/resnet_vd_50_imagenet": "resnet50_d",
    "keras/resnet_vd_101_imagenet": "resnet101_d",
    "keras/resnet_vd_152_imagenet": "resnet152_d",
}


def _timm(line):
    name, size, crop, interpolation, constants, top1, top5, licence = (
        None if word == "-" else word for word in line.split()
    )
    mean, std = _CONSTANTS[constants]
    return Weights(
        variant=descriptions.timm_variant(name.partition(".")[0]),
        tag=f"hf://timm/{name}",
        licence=_LICENCES.get(licence),
        pixel_mean=mean,
        pixel_std=std,
        resize=math.floor(int(size) / float(crop)),
        crop=int(size),
        interpolation=interpolation,
        antialias=True,  # Pillow's resize
        top1_accuracy=_fraction(top1),
        top5_accuracy=_fraction(top5),
        accuracy_source="timm results/results-imagenet.csv",
        evaluation_source="timm/models/resnet.py, default_cfgs",
    )


def _fraction(percent):
    return None if percent is None else round(float(percent) / 100, 5)


def _other(name, variant):
    return Weights(variant=variant, tag=f"hf://{name}")


ROWS = tuple(
    row
    for row in (
        *map(_timm, _TIMM.splitlines()),
        *(_other(*item) for item in _OTHERS.items()),
    )
    if row.variant in specs.VARIANTS
)
