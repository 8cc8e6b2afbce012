"""What serving is compared with: the same ONNX model behind what a team would pick instead, each in its usual settings."""
