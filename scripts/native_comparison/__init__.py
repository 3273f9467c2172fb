"""Compares what pdl-train makes of a Hugging Face folder with transformers and PyTorch."""
