"""What the judge says; the templates are in ``judge.po``, the report's catalogue of them."""

from __future__ import annotations

from conformance.phrase import Phrase

said = Phrase
"""Marks a template for that catalogue."""
