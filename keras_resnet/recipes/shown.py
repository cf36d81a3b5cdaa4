"""How a recipe is shown: help of its fields, what differs from defaults."""

import dataclasses

from keras_resnet.labels import html


def field(default, help_text):
    """A dataclass field with a help text."""
    return dataclasses.field(default=default, metadata={"help": help_text})


def choices(table):
    """The help of a field that takes the keys of a table."""
    return "; ".join(f"{key}: {text}" for key, text in table.items())


class Shown:
    """Mixin for a frozen dataclass whose fields have a help text."""

    def __repr__(self):
        changed = ", ".join(f"{k}={v!r}" for k, v in self.changed.items())
        return f"Recipe({changed})"

    def _repr_html_(self):
        """For notebooks: what differs from the defaults, with its help."""
        fields = type(self).__dataclass_fields__
        rows = {
            name: (repr(value), fields[name].metadata["help"])
            for name, value in self.changed.items()
        }
        return html.table("Recipe, where it differs from the defaults", rows)

    @property
    def changed(self):
        """{field: value} of the fields that differ from their defaults."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }
