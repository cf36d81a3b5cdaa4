"""Every field of a recipe as a flag of a command."""

import dataclasses

from absl import flags

from keras_resnet import recipes
from keras_resnet.commands import running

FLAGS = flags.FLAGS


def define():
    """Defines them; they are None unless given."""
    kinds = {
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        bool: flags.DEFINE_boolean,
        str: flags.DEFINE_string,
        tuple[int, ...]: flags.DEFINE_list,
    }
    for field in dataclasses.fields(recipes.Recipe):
        kinds[field.type](field.name, None, field.metadata["help"])


def overrides():
    """{field: value} of those that are given, for `recipes.load`."""
    values = {}
    for field in dataclasses.fields(recipes.Recipe):
        value = FLAGS[field.name].value
        if value is None:
            continue
        if field.type == tuple[int, ...]:
            value = running.integers(field.name, value)
        values[field.name] = value
    return values
