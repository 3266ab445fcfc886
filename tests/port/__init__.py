"""Verification of ported models."""
