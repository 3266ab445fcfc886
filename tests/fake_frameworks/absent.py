"""Not installed."""

from conformance.worker.base import TargetUnavailable

raise TargetUnavailable("the fake framework is not installed")
