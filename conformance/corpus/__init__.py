"""From YAML case files to validated, expanded cases."""
