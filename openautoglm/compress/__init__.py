"""Making a trained model smaller: INT8 by quantization-aware training, structured pruning, sparsity."""
