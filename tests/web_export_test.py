"""The folder of a page: what is in it, and what is refused."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import urllib.error
import urllib.request

import keras
import numpy as np
import odd_images
import pages
import pytest
import web_networks

from keras_resnet.errors import UsageError
from keras_resnet.export import artifact as artifact_lib
from keras_resnet.export import litert_js
from keras_resnet.export import runtime
from keras_resnet.export import web
from keras_resnet.export import web_model
from keras_resnet.export.web import export_web

PAGE_FILES = sorted(path.name for path in web.PAGE.iterdir())


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    """Nothing is read from or written to the user's own cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
