"""Mutation score: how many subtly wrong kernels the corpus tells from right ones.

``python -m tests.mutation [PATH]… [-t TARGET]…`` makes a target wrong in one way at a time, judges
what it then returns as any run is judged, and reports which mutants no case notices.
"""
