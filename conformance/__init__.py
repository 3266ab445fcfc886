"""Executable API mapping between PyTorch and MindSpore."""

__version__ = "0.1.0"
