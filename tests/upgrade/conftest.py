"""The tests beside these case files run them; as items of their own they have no framework."""

collect_ignore_glob = ["*.yaml"]
