"""What can go wrong with a demo, in words for its user."""


class DemoFailed(Exception):  # noqa: N818 - what it is, in the words of the message
    """The demo cannot go on; the message names the cause and the way out."""
