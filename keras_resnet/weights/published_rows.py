"""Published weights as rows: where they are, what they need, how good they are.

Every number is the publisher's. A file's checksum is the publisher's too:
Keras' md5, or the first 8 digits of the sha256 that torch's file names carry.

Sources of the rows, compared in a test with the packages if installed:
    keras.applications: keras/src/applications/resnet.py (URLs, md5),
        imagenet_utils.py (mode "caffe": the pixel means; for V2 mode "tf");
        https://keras.io/api/applications (accuracies).
    torchvision: torchvision/models/resnet.py, ResNet*_Weights.
    timm: timm/models/resnet.py, default_cfgs; results/results-imagenet.csv of
        its repository, img_size 224 (accuracies).

hub_rows.py has the weights that are only on the hub.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of one variant under one tag. None means: not published.

    Attributes:
        variant: key of `keras_resnet.VARIANTS`.
        tag: what `build(variant, weights=...)` takes.
        hub: handle of the same weights on the hub, as safetensors, which need
            no PyTorch. For weights that are only on the hub, it is the tag.
        url: of the publisher's own file.
        checksum: of that file: "md5:..." or "sha256:..." (8 digits are a
            prefix).
        layout: names and order of its tensors, a key of `LAYOUTS`.
        licence: of the weights, as their publisher states it.
        pixel_mean, pixel_std: of R, G and B, 0..255.
        resize: pixels of the shorter side before the central crop.
        crop: pixels of the square that the network sees.
        interpolation: "bilinear" or "bicubic".
        antialias: whether the resizing filters before it samples.
        top1_accuracy, top5_accuracy: fractions of ImageNet's 50,000 validation
            images, one crop.
        accuracy_source: who says so, and where.
        evaluation_source: where the transform is described.
    """

    variant: str
    tag: str
    hub: str | None = None
    url: str | None = None
    checksum: str | None = None
    layout: str | None = None
    licence: str | None = None
    pixel_mean: tuple[float, ...] | None = None
    pixel_std: tuple[float, ...] | None = None
    resize: int | None = None
    crop: int | None = None
    interpolation: str | None = None
    antialias: bool | None = None
    top1_accuracy: float | None = None
    top5_accuracy: float | None = None
    accuracy_source: str | None = None
    evaluation_source: str | None = None

    @property
    def is_repository(self):
        """Whether it is only on the hub; the files there say what it sees."""
        return self.url is None


# mean 0.485 0.456 0.406 and std 0.229 0.224 0.225, times 255.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


def _keras(depth, md5, licence, top1, top5, **preprocessing):
    name = f"resnet{depth}"
    row = Weights(
        variant=name,
        tag="imagenet",
        url="https://storage.googleapis.com/tensorflow/keras-applications/"
        f"resnet/{name}_weights_tf_dim_ordering_tf_kernels.h5",
        checksum=f"md5:{md5}",
        layout="keras_applications",
        licence=licence,
        pixel_mean=(123.68, 116.779, 103.939),
        pixel_std=(1.0, 1.0, 1.0),
        resize=256,
        crop=224,
        interpolation="bicubic",
        antialias=False,  # cv2.resize
        top1_accuracy=top1,
        top5_accuracy=top5,
        accuracy_source="https://keras.io/api/applications",
        evaluation_source="https://github.com/keras-team/keras-applications/"
        "issues/88",
    )
    return dataclasses.replace(row, **preprocessing)


def _keras_v2(depth, md5, top1, top5):
    return _keras(
        f"{depth}v2",
        md5,
        None,
        top1,
        top5,
        variant=f"resnet{depth}_v2_keras",
        layout="keras_applications_v2",
        pixel_mean=(127.5, 127.5, 127.5),
        pixel_std=(127.5, 127.5, 127.5),
    )


def _torchvision(variant, generation, file, top1, top5, resize=None):
    name = file.partition("-")[0]
    return Weights(
        variant=variant,
        tag=f"torchvision:IMAGENET1K_V{generation}",
        hub=f"hf://timm/{name}.{('tv', 'tv2')[generation - 1]}_in1k",
        url=f"https://download.pytorch.org/models/{file}.pth",
        checksum=f"sha256:{file.rpartition('-')[2]}",
        layout="torchvision",
        licence="BSD-3-Clause",
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        resize=resize or {1: 256, 2: 232}[generation],
        crop=224,
        interpolation="bilinear",
        antialias=True,
        top1_accuracy=top1,
        top5_accuracy=top5,
        accuracy_source=f"torchvision {name} weights, meta",
        evaluation_source="torchvision/models/resnet.py, transforms",
    )


def _timm(variant, file, top1, top5, owner="huggingface"):
    return Weights(
        variant=variant,
        tag="timm:a1_in1k",
        hub=f"hf://timm/{file.partition('_')[0]}.a1_in1k",
        url=f"https://github.com/{owner}/pytorch-image-models/releases/"
        f"download/v0.1-rsb-weights/{file}.pth",
        checksum=f"sha256:{file.rpartition('-')[2]}",
        layout="torchvision",
        licence="Apache-2.0",
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        resize=235,  # floor(224 / 0.95)
        crop=224,
        interpolation="bicubic",
        antialias=True,  # Pillow's resize
        top1_accuracy=top1,
        top5_accuracy=top5,
        accuracy_source="timm results/results-imagenet.csv, img_size 224",
        evaluation_source="timm/models/resnet.py, default_cfgs",
    )


# The licence of ResNet-50's weights: keras.io, "released by Kaiming He under
# the MIT license". For 101 and 152 nobody states one.
WEIGHTS = (
    _keras(50, "2cb95161c43110f7111970584f804107", "MIT", 0.749, 0.921),
    _keras(101, "f1aeb4b969a6efcfb50fad2f0c20cfc5", None, 0.764, 0.928),
    _keras(152, "100835be76be38e30d865e96f2aaae62", None, 0.766, 0.931),
    _keras_v2(50, "3ef43a0b657b3be2300d5770ece849e0", 0.760, 0.930),
    _keras_v2(101, "6343647c601c52e1368623803854d971", 0.772, 0.938),
    _keras_v2(152, "a49b44d1979771252814e80f8ec446f9", 0.780, 0.942),
    _torchvision("resnet18", 1, "resnet18-f37072fd", 0.69758, 0.89078),
    _torchvision("resnet34", 1, "resnet34-b627a593", 0.73314, 0.91420),
    _torchvision("resnet50_v1_5", 1, "resnet50-0676ba61", 0.76130, 0.92862),
    _torchvision("resnet101_v1_5", 1, "resnet101-63fe2227", 0.77374, 0.93546),
    _torchvision("resnet152_v1_5", 1, "resnet152-394f9c45", 0.78312, 0.94046),
    _torchvision("resnet50_v1_5", 2, "resnet50-11ad3fa6", 0.80858, 0.95434),
    _torchvision("resnet101_v1_5", 2, "resnet101-cd907fc2", 0.81886, 0.95780),
    _torchvision("resnet152_v1_5", 2, "resnet152-f82ba261", 0.82284, 0.96002),
    _torchvision(
        "wide_resnet50_2", 1, "wide_resnet50_2-95faca4d", 0.78468, 0.94086
    ),
    _torchvision(
        "wide_resnet50_2", 2, "wide_resnet50_2-9ba9bcbe", 0.81602, 0.95758
    ),
    _torchvision(
        "wide_resnet101_2", 1, "wide_resnet101_2-32ee1156", 0.78848, 0.94284
    ),
    _torchvision(
        "wide_resnet101_2", 2, "wide_resnet101_2-d733dc28", 0.82510, 0.96020
    ),
    _torchvision(
        "resnext50_32x4d", 1, "resnext50_32x4d-7cdf4587", 0.77618, 0.93698
    ),
    _torchvision(
        "resnext50_32x4d", 2, "resnext50_32x4d-1a0047aa", 0.81198, 0.95340
    ),
    _torchvision(
        "resnext101_32x8d", 1, "resnext101_32x8d-8ba56ff5", 0.79312, 0.94526
    ),
    _torchvision(
        "resnext101_32x8d", 2, "resnext101_32x8d-110c445d", 0.82834, 0.96228
    ),
    _torchvision(
        "resnext101_64x4d",
        1,
        "resnext101_64x4d-173b62eb",
        0.83246,
        0.96454,
        resize=232,
    ),
    _timm("resnet18", "resnet18_a1_0-d63eafa0", 0.71504, 0.90086),
    _timm("resnet34", "resnet34_a1_0-46f8f793", 0.76420, 0.92896),
    _timm(
        "resnet50_v1_5",
        "resnet50_a1_0-14fe96d1",
        0.80382,
        0.94598,
        owner="rwightman",
    ),
    _timm("resnet101_v1_5", "resnet101_a1_0-cdcb52a9", 0.81494, 0.95164),
    _timm("resnet152_v1_5", "resnet152_a1_0-2eee8a7a", 0.81998, 0.95294),
)
