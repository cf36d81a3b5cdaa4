"""Requests that TensorFlow Serving runs before it serves a SavedModel.

The first request of a process is slow, so Serving sends itself those that it
finds in the SavedModel. They are PredictionLog messages. Only the fields below
are needed, so the package that declares the messages is not.
"""

import pathlib

import tensorflow as tf
from google.protobuf import descriptor_pb2
from google.protobuf import message_factory

PATH = "assets.extra/tf_serving_warmup_requests"

# Field -> (number, type), as tensorflow_serving/apis has them in model.proto,
# predict.proto and prediction_log.proto. `Input` is an entry of predict.proto's
# map<string, TensorProto>; a message inside another is encoded as bytes.
_MESSAGES = {
    "ModelSpec": {"name": (1, str), "signature_name": (3, str)},
    "Input": {"key": (1, str), "value": (2, bytes)},
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, "Input")},
    "PredictLog": {"request": (1, "PredictRequest")},
    "PredictionLog": {"predict_log": (6, "PredictLog")},
}
_REPEATED = "inputs"

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {str: _Field.TYPE_STRING, bytes: _Field.TYPE_BYTES}


def write_requests(directory, name, requests):
    """Writes one request for each signature into a SavedModel.

    `requests` are {signature: {input: `TensorProto`}}; Serving does not
    compare the model's name with its own.
    """
    path = pathlib.Path(directory) / PATH
    path.parent.mkdir(exist_ok=True)
    messages = _message_classes()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests.items():
            log = messages["PredictionLog"]()
            request = log.predict_log.request
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, tensor in inputs.items():
                request.inputs.add(key=key, value=tensor.SerializeToString())
            writer.write(log.SerializeToString())


def _message_classes():
    """{name: class}, declared apart: Serving's package may be there as well."""
    file = descriptor_pb2.FileDescriptorProto(name="warmup.proto")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            declared = message.field.add(name=field, number=number)
            declared.label = _Field.LABEL_OPTIONAL
            if field == _REPEATED:
                declared.label = _Field.LABEL_REPEATED
            declared.type = _TYPES.get(kind, _Field.TYPE_MESSAGE)
            if declared.type == _Field.TYPE_MESSAGE:
                declared.type_name = f".{kind}"
    return message_factory.GetMessages([file])
