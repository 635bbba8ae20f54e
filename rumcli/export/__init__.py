"""Model export to Keras, SavedModel and ONNX, and import of TensorFlow 1 checkpoints."""
