"""What of a message is refused before anything is read: ``api/conversations.py``."""

from __future__ import annotations

import pytest

from api.conversations import check_length
from connectors.base import Capabilities
from hub.errors import InvalidInput


def test_nothing_can_be_written_where_the_limit_is_zero():
    """A channel of calls refuses every text, in words about itself; another takes its limit and no more."""
    with pytest.raises(InvalidInput, match="Nothing can be written"):
        check_length(Capabilities(text_limit=0), "Hello")
    check_length(Capabilities(text_limit=5), "Hello")
    with pytest.raises(InvalidInput, match="at most 5"):
        check_length(Capabilities(text_limit=5), "Hello!")
