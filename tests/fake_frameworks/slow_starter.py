"""Right, after two seconds of importing."""

import time

from conformance.worker.adapters.right import RightAdapter

time.sleep(2)
ADAPTER = RightAdapter
