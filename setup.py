"""Packaging. The version is in keras_resnet/__init__.py."""

import pathlib
import re

from setuptools import find_packages
from setuptools import setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (HERE / "keras_resnet" / "__init__.py").read_text(),
    re.MULTILINE,
).group(1)

setup(
    # Not "keras-resnet": another project has that name. Both import as
    # keras_resnet, so they cannot be installed together.
    name="residual-networks-keras",
    version=VERSION,
    description="Residual networks on Keras 3, from training to export.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["keras_resnet", "keras_resnet.*"]),
    package_data={
        "keras_resnet": ["__init__.pyi", "py.typed"],
        "keras_resnet.data": ["digits.npz"],
        "keras_resnet.export.writers": ["web_page/*"],
        "keras_resnet.labels": ["imagenet_classes.txt"],
    },
    entry_points={
        "console_scripts": ["keras-resnet=keras_resnet.commands.doors:main"]
    },
    install_requires=[
        "absl-py>=2.1",
        "ai-edge-litert>=2.1,<3",
        "filelock>=3.30",
        "flatbuffers>=25",
        "h5py>=3.11",
        "huggingface-hub>=1.31,<3",
        "importlib-resources>=6",  # tensorflow-datasets imports it unasked
        "keras>=3.15.1,<3.16",
        "lazy-loader>=0.4",
        "matplotlib>=3.8",
        "numpy>=1.26",
        "onnx>=1.21",  # earlier versions follow links out of a model's folder
        "onnxruntime>=1.20",
        "pillow>=10",
        "protobuf>=6.31",
        "pyarrow>=18",
        "safetensors>=0.5",
        "tensorboard>=2.20",  # tf.summary is in it
        "tensorflow>=2.21,<2.22",
        "tensorflow-datasets>=4.9.10",
        "tf2onnx>=1.17,<1.18",
        "tqdm>=4.60",
        "wrapt>=1.17",
    ],
    extras_require={
        # `make docs`; docs/site/requirements.txt has what was tested.
        "docs": [
            "mkdocs>=1.6,<2",
            "mkdocs-material>=9.6,<10",
            "mkdocstrings[python]>=1,<2",
        ],
        # Whose weights we read, and who reads what we export.
        # With a PyTorch for the CPU, install torchvision and timm --no-deps.
        "peers": [
            "kagglehub>=1",
            "keras-hub>=0.32",
            "mediapipe>=1.2",
            "openvino>=2026.4",
            "tensorflow-serving-api>=2.21,<2.22",
            "timm>=1",
            "torch>=2.10",
            "torchvision>=0.25",
            "transformers>=5",
        ],
        "test": [
            "deptry>=0.23",
            "ipykernel>=6",
            "jax>=0.6",
            "mypy>=1.15",
            "nbclient>=0.10",
            "pydot>=3",
            "pytest>=8",
            "pytest-xdist>=3.5",
            "ruff>=0.12",
            "scikit-learn>=1.5",
            "selenium>=4.20",
        ],
    },
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
