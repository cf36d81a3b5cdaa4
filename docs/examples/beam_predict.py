"""Classifies images in an Apache Beam pipeline, with a model of any format.

python docs/examples/beam_predict.py --model=exported/model.onnx \
  --input='photos/**.jpg' --output=beam/predictions

Other flags are Beam's: --runner and so on. On each worker the model, its
labels.txt and its card.json must lie at the same path.
"""

import argparse
import threading

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from apache_beam.io import fileio
from apache_beam.io import parquetio
from apache_beam.ml.inference.base import KeyedModelHandler
from apache_beam.ml.inference.base import ModelHandler
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import transforms
from keras_resnet.inference import runtime
from keras_resnet.inference.tflite_metadata import find_card
from keras_resnet.labels.cards import top_classes
from keras_resnet.labels.view import View

TOP = 5  # classes of an image, the most probable ones


class ResNetHandler(ModelHandler):
    """Any artifact of keras_resnet: uint8 (S, S, 3) to probabilities."""

    def __init__(self, path, batch_size):
        super().__init__(max_batch_size=batch_size)
        self._path = path

    def load_model(self):
        predictor = runtime.load_predictor(self._path)
        # Threads of a worker share it; LiteRT serves one at a time.
        predictor.lock = threading.Lock()
        return predictor

    def run_inference(self, batch, model, inference_args=None):
        with model.lock:
            return list(model.predict(np.stack(batch)))


class Decode(beam.DoFn):
    """A file to (path, the view that the network takes), or to "bad"."""

    def __init__(self, card, top):
        self._view = View.of(card)
        self._nothing = [(None, None)] * top

    def process(self, file):
        path, encoded = file.metadata.path, file.read()
        try:
            image = decoding.decode(encoded, self._view.exif)
            yield path, transforms.evaluation(image, self._view).numpy()
        except tf.errors.OpError as error:
            why = decoding.problem(encoded) or decoding.reason(error)
            yield beam.pvalue.TaggedOutput("bad", row(path, self._nothing, why))


def row(path, top, error=None):
    """A row of the table; `top` has (class, probability) of one image."""
    columns = {"path": path, "error": error}
    for k, (name, probability) in enumerate(top, 1):
        columns |= {f"class_{k}": name, f"probability_{k}": probability}
    return columns


def schema(top):
    """The table's columns, of which all but the path may be null."""
    fields = [pa.field("path", pa.string(), nullable=False)]
    for k in range(1, top + 1):
        fields.append((f"class_{k}", pa.string()))
        fields.append((f"probability_{k}", pa.float32()))
    return pa.schema([*fields, ("error", pa.string())])


def main(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--batch_size", type=int, default=32)
    flags, others = parser.parse_known_args(arguments)

    card = find_card(flags.model)
    if card.multi_label:
        parser.error(
            f"{flags.model!r} gives any number of labels, and this table has "
            f"the {TOP} most probable classes: use keras-resnet predict."
        )
    names = card.class_names
    top = min(TOP, len(names))
    handler = KeyedModelHandler(ResNetHandler(flags.model, flags.batch_size))

    def classified(result):
        path, probabilities = result
        return row(path, top_classes(probabilities[None], names, top)[0])

    with beam.Pipeline(options=PipelineOptions(others)) as pipeline:
        decoded = (
            pipeline
            | fileio.MatchFiles(flags.input)
            | beam.Reshuffle()  # or the worker that lists would read them all
            | fileio.ReadMatches()
            | beam.ParDo(Decode(card, top)).with_outputs("bad", main="views")
        )
        good = decoded.views | RunInference(handler) | beam.Map(classified)
        _ = (
            (good, decoded.bad)
            | beam.Flatten()
            | parquetio.WriteToParquet(
                flags.output, schema(top), file_name_suffix=".parquet"
            )
        )


if __name__ == "__main__":
    main()
