"""Serving: the classes that Seldon starts. Of ours it imports only `pedalflow`; never TFX or TensorFlow."""
