"""Executable API mapping between PyTorch and MindSpore."""
