"""Verification of ported models: is a MindSpore port the function that the original is?"""
