"""Everything that decides the result of a training run, as named values."""

from keras_resnet.recipes.checks import SHUFFLES
from keras_resnet.recipes.checks import max_masked
from keras_resnet.recipes.checks import past_the_end
from keras_resnet.recipes.recipe import GROUPS
from keras_resnet.recipes.recipe import Recipe
from keras_resnet.recipes.table import RECIPES
from keras_resnet.recipes.table import load
from keras_resnet.recipes.table import register

__all__ = (
    "GROUPS",
    "RECIPES",
    "SHUFFLES",
    "Recipe",
    "load",
    "max_masked",
    "past_the_end",
    "register",
)
