"""TFLite Model Metadata as tables, and a writer of its flatbuffers.

Source of all tables and numbers: metadata_schema.fbs of TFLite Support,
version 1.1.0; MediaPipe's has the same fields first.
"""

import flatbuffers

# A field's place in its table is the number of its slot. A union takes two
# slots: its type, then its value.
TABLES = {
    "ModelMetadata": (
        "name",
        "description",
        "version",
        "subgraph_metadata",
        "author",
        "license",
        "associated_files",
        "min_parser_version",
    ),
    "SubGraphMetadata": (
        "name",
        "description",
        "input_tensor_metadata",
        "output_tensor_metadata",
        "associated_files",
        "input_process_units",
        "output_process_units",
    ),
    "TensorMetadata": (
        "name",
        "description",
        "dimension_names",
        "content",
        "process_units",
        "stats",
        "associated_files",
    ),
    "Content": ("content_properties_type", "content_properties", "range"),
    "FeatureProperties": (),
    "ImageProperties": ("color_space", "default_size"),
    "ProcessUnit": ("options_type", "options"),
    "NormalizationOptions": ("mean", "std"),
    "Stats": ("max", "min"),
    "AssociatedFile": ("name", "description", "type", "locale"),
}

# The first members of each union, by its field; their types count from 1.
UNIONS = {
    "content_properties": ("FeatureProperties", "ImageProperties"),
    "options": ("NormalizationOptions",),
}

# Values of enumerations, each a byte.
ASSOCIATED_FILE_TYPE = {"DESCRIPTIONS": 1, "TENSOR_AXIS_LABELS": 2}
COLOR_SPACE_TYPE = {"RGB": 1}

FILE_IDENTIFIER = b"M001"
# Every field that is written here was in the first version.
MIN_PARSER_VERSION = "1.0.0"


class Table:
    """A table: a key of `TABLES`, and the values of some of its fields.

    A value is a string, a byte as an int, another `Table`, or a list of
    tables or of floats.
    """

    def __init__(self, kind, **fields):
        self.kind, self.fields = kind, fields


def flatbuffer(root):
    """The bytes of a flatbuffer of the schema.

    Args:
        root: `Table` of the kind ModelMetadata.
    """
    builder = flatbuffers.Builder()
    builder.Finish(_write(builder, root), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _write(builder, value):
    """Writes what a value refers to, then the value; returns its offset."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, Table):
        return _write_table(builder, value)
    prepend = builder.PrependFloat32
    if isinstance(value[0], Table):
        value = [_write_table(builder, table) for table in value]
        prepend = builder.PrependUOffsetTRelative
    # Floats and offsets have four bytes.
    builder.StartVector(4, len(value), 4)
    for number in reversed(value):
        prepend(number)
    return builder.EndVector()


def _write_table(builder, value):
    slots, fields = TABLES[value.kind], dict(value.fields)
    for union, members in UNIONS.items():
        if union in fields:
            fields[f"{union}_type"] = 1 + members.index(fields[union].kind)
    # What a table refers to is written before the table begins.
    written = {
        name: field if isinstance(field, int) else _write(builder, field)
        for name, field in fields.items()
    }
    builder.StartObject(len(slots))
    for name, number in written.items():
        prepend = builder.PrependUOffsetTRelativeSlot
        if isinstance(fields[name], int):
            prepend = builder.PrependUint8Slot
        prepend(slots.index(name), number, 0)
    return builder.EndObject()
