"""Reading a form by hand gives what the standard library reads."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.twilio.form import read_form
from hub.errors import MalformedPayload


@given(st.lists(st.sampled_from(list(b"ab%&=+2FfZ;0\xff\x00")), max_size=40).map(bytes))
@settings(max_examples=2_000)
def test_form_is_read_as_the_standard_library_reads_it(body):
    """Escapes, blanks, broken escapes and foreign bytes come out the same, in the same order."""
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")

    assert read_form(body) == tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)


def test_form_of_too_many_fields_is_refused():
    """Five hundred fields are read, one more is not."""
    assert len(read_form(b"&".join([b"a=b"] * 500))) == 500

    with pytest.raises(MalformedPayload):
        read_form(b"&".join([b"a=b"] * 501))
