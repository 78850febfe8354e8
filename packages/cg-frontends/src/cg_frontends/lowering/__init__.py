"""What the PyTorch and the ONNX frontend share: values, nodes to be, parameters that several nodes use, and the last step to a graph."""
