"""Finds the pictures of a folder that look most like another picture.

keras-resnet export runs/photos --outputs=embedding --formats=tflite
python docs/examples/image_search.py \
  --model=runs/photos/exported/model.tflite --folder=photos query.jpg

The model is an exported embedding, or any network of a run or .keras file, of
which it takes the embedding: what the classifier reads of a picture. Pictures
are alike where the cosine of their embeddings is near 1.
"""

import argparse

import numpy as np

from keras_resnet.inference import kinds
from keras_resnet.inference import opening
from keras_resnet.inference import pictures
from keras_resnet.inference import predictors
from keras_resnet.inference import runtime
from keras_resnet.inference.tflite_metadata import find_card
from keras_resnet.labels.view import View

BATCH = 32  # pictures in memory


def open_embedder(path):
    """(predictor of "embedding", the view that it takes of a picture)."""
    path = opening.path_of(path)
    if kinds.recognise(path).name == "keras":
        model, card = opening.open_features(path, "embedding")
        return predictors.KerasPredictor(model), View.of(card)
    return runtime.load_predictor(path), View.of(find_card(path))


def embed(files, predictor, view):
    """float32 (N, C), of length 1 each: the embeddings of image files."""
    found = []
    for start in range(0, len(files), BATCH):
        part = files[start : start + BATCH]
        views = np.stack([pictures.read(file, view) for file in part])
        found.append(predictor(views)["embedding"])
    found = np.concatenate(found)
    return found / np.maximum(
        np.linalg.norm(found, axis=1, keepdims=True), 1e-9
    )


def nearest(query, embeddings, count):
    """[(place, cosine)] of the embeddings (N, C) nearest to one (C,)."""
    cosines = embeddings @ query
    order = np.argsort(-cosines, kind="stable")[:count]
    return [(int(place), float(cosines[place])) for place in order]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--folder", required=True, help="of pictures")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("query", help="a picture")
    flags = parser.parse_args(argv)
    embedder = open_embedder(flags.model)
    files = pictures.files([flags.folder])
    embeddings = embed(files, *embedder)
    (query,) = embed([flags.query], *embedder)
    for place, cosine in nearest(query, embeddings, flags.count):
        print(f"{cosine:.4f}  {files[place]}")


if __name__ == "__main__":
    main()
