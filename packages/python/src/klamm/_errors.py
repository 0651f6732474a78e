"""What goes wrong. What a test expected and did not find is an ``AssertionError``."""


class KlammError(Exception):
    """The broker has refused a call, in its own words."""


class StartError(KlammError):
    """There is no broker: its program is not found, or has ended before it was ready."""


class WaitTimeout(KlammError, TimeoutError):
    """What was waited for has not come; the sentence says what was missing."""
