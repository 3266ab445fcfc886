"""Right, and leaves a line in the file named by STARTS each time it starts."""

import os
from pathlib import Path

from conformance.worker.adapters.right import RightAdapter

with Path(os.environ["STARTS"]).open("a", encoding="utf-8") as log:
    log.write("started\n")
ADAPTER = RightAdapter
