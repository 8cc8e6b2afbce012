"""Serving: the classes that Seldon starts. Of ours it imports `pedalflow` and `detectors` only; never TFX or TensorFlow."""
