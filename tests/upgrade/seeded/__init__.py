"""A toy framework in two versions, which differ by one seeded change after the other."""
