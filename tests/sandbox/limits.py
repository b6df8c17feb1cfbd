"""amoCRM's rate limit: seven requests a second, then 429; a client that continues is blocked.

It is off until a test enables it, because the tests' own requests come faster than our programs
may.
"""

import threading
import time

PER_SECOND = 7
PATIENCE = 10       # consecutive requests refused with 429 before 403 for everything
RETRY_AFTER = 1


class RateLimit:
    def __init__(self):
        self._lock = threading.Lock()
        self.lift()

    def enforce(self, per_second=PER_SECOND, patience=PATIENCE):
        with self._lock:
            self.per_second, self.patience = per_second, patience

    def lift(self):
        with self._lock:
            self.per_second = None
            self._times, self._refused = [], 0

    @property
    def shut_out(self):
        return self.per_second is not None and self._refused > self.patience

    def verdict(self):
        """None if the request is within the limit, else the fault to respond with."""
        now = time.monotonic()
        with self._lock:
            if self.per_second is None:
                return None
            if self.shut_out:
                return "forbidden"
            self._times = [when for when in self._times if now - when < 1]
            if len(self._times) < self.per_second:
                self._times.append(now)
                self._refused = 0
                return None
            self._refused += 1
            return "forbidden" if self.shut_out else "too_many"


def busiest_second(times):
    """The largest number of these times that lie within one second."""
    times = sorted(times)
    return max((sum(1 for other in times if 0 <= other - first < 1) for first in times), default=0)
