"""How a template reads once it is filled in, and which may be used."""

from __future__ import annotations

import pytest

from api.templates import fill, find_template
from hub.envelope import Template, TemplateUse
from hub.errors import InvalidInput

HELLO = Template(
    name="hello", language="en", text="Hi {{1}}, your order {{ order }} is {{1}}.", variables=("1", "order")
)


def test_fill_puts_each_text_in_every_place_of_it_once():
    """What is put in is text: braces in it are no places."""
    use = TemplateUse(name="hello", language="en", variables={"1": "{{order}}", "order": "A-7"})
    assert fill(HELLO, use) == "Hi {{order}}, your order A-7 is {{order}}."


@pytest.mark.parametrize(
    "template",
    [
        Template(name="hello", language="de", text=""),
        Template(name="bye", language="en", text=""),
        Template(name="hello", language="en", text="", status="rejected"),
    ],
)
def test_find_takes_only_the_approved_one_of_that_language(template):
    """Another language, another name, or one the vendor refused is not it."""
    use = TemplateUse(name="hello", language="en")
    assert find_template([template, HELLO], use) is HELLO
    with pytest.raises(InvalidInput):
        find_template([template], use)
