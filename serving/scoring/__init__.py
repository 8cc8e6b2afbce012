"""Reads the rows of a request and predicts them: all that scoring needs, and nothing of a server.

It needs NumPy, ONNX Runtime and the standard library only, and imports nothing outside this folder: the wheel of a release carries
a copy of it, so what scores in a batch or in somebody's own process is the same code that serves.
"""
