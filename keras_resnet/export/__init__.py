"""Networks as files for other runtimes: SavedModel, TFLite and ONNX."""
