"""The documentation of the API as one page, written from the OpenAPI document: no script, nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.call import Call
    from api.openapi import Written

_POLICY: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS: Final = {"content-security-policy": _POLICY, "cache-control": "no-cache"}
_STYLE: Final = Path(__file__).with_name("docs.css")
_KINDS: Final[Mapping[str, str]] = {
    "cookie": "session cookie",
    "session": "session token",
    "api_key": "API key",
    "visitor": "visitor token",
}


async def read(call: Call) -> Response:
    """Show the documentation."""
    state = call.request.app.state
    page: str | None = getattr(state, "docs_page", None)
    if page is None:
        written: Written = state.openapi
        page = state.docs_page = page_of(json.loads(await written.text()))
    return Response(page, headers=_HEADERS, media_type="text/html")


async def read_style(call: Call) -> Response:  # noqa: ARG001  a handler's signature
    """Answer the page's style sheet."""
    return Response(_STYLE.read_bytes(), headers=_HEADERS, media_type="text/css")


def page_of(document: Mapping[str, Any]) -> str:
    """
    Write the page.

    Args:
        document: OpenAPI 3.1, as ``api/openapi.py`` makes it.

    Returns:
        HTML that opens and closes by itself (``details``) and can be linked to, operation by operation.
    """
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag[operation["tags"][0]].append(_operation(method, path, operation, document["components"]))
    index = "".join(f'<li><a href="#tag-{escape(tag)}">{escape(_words(tag))}</a></li>' for tag in by_tag)
    sections = "".join(
        f'<section id="tag-{escape(tag)}"><h2>{escape(_words(tag))}</h2>{"".join(some)}</section>'
        for tag, some in by_tag.items()
    )
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<title>{escape(info["title"])}: API</title><link rel="stylesheet" href="/api/docs.css"></head><body>'
        f'<nav aria-label="Subjects"><ul>{index}<li><a href="#problems">Problems</a></li>'
        '<li><a href="#schemas">Rows</a></li></ul></nav>'
        f"<main><h1>{escape(info['title'])} API {escape(info['version'])}</h1><p>{_text(info['description'])}</p>"
        f'<p><a href="/api/v1/openapi.json">OpenAPI {escape(document["openapi"])} document</a></p>'
        f"{_schemes(document['components'])}{sections}{_problems(document['components'])}"
        f"{_schemas(document['components'])}</main></body></html>"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any], components: Mapping[str, Any]) -> str:
    kinds = " or ".join(dict.fromkeys(_KINDS[name] for one in operation["security"] for name in one)) or "nothing"
    parts = [f"<p>Needs <code>{escape(operation['x-permission'])}</code>; called with {escape(kinds)}.</p>"]
    if operation["parameters"]:
        rows = "".join(_parameter(one) for one in operation["parameters"])
        parts.append(f"<h4>Parameters</h4><table><tbody>{rows}</tbody></table>")
    if "requestBody" in operation:
        parts.append(f"<h4>Body</h4>{_content(operation['requestBody']['content'])}")
    for status, answer in operation["responses"].items():
        parts.append(_answer(status, answer, components))
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method {escape(method)}">'
        f"{escape(method.upper())}</span> <code>{escape(path)}</code> "
        f"<span>{_text(operation['summary'])}</span></summary>"
        f'<p><a href="#{escape(operation["operationId"])}">Link to this</a></p>{"".join(parts)}</details>'
    )


def _parameter(one: Mapping[str, Any]) -> str:
    need = " (required)" if one["required"] else ""
    return (
        f"<tr><th><code>{escape(one['name'])}</code></th><td>{escape(one['in'])}{need}, "
        f"{escape(str(one['schema'].get('format') or one['schema']['type']))}</td>"
        f"<td>{_text(one.get('description', ''))}</td></tr>"
    )


def _answer(status: str, answer: Mapping[str, Any], components: Mapping[str, Any]) -> str:
    if "$ref" in answer:
        name = answer["$ref"].rpartition("/")[2]
        text = components["responses"][name]["description"]
        return f'<p class="refused"><a href="#problem-{escape(name)}">{escape(status)}</a> {_text(text)}</p>'
    if status == "default":
        return ""
    headers = ", ".join(f"<code>{escape(name)}</code>" for name in answer.get("headers", ()))
    shown = f"<p>Headers: {headers}</p>" if headers else ""
    return f"<h4>Answer {escape(status)}</h4>{shown}{_content(answer.get('content', {}))}"


def _content(content: Mapping[str, Any]) -> str:
    parts = []
    for media in content.values():
        ref = media["schema"].get("$ref", "").rpartition("/")[2]
        named = f'<p><a href="#schema-{escape(ref)}">{escape(ref)}</a></p>' if ref else ""
        parts.append(f"{named}{_code(media['example'])}" if "example" in media else named)
    return "".join(parts)


def _schemes(components: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th>{escape(_KINDS[name])}</th><td>{_text(one.get('description', ''))}</td></tr>"
        for name, one in components["securitySchemes"].items()
    )
    return f'<section id="callers"><h2>Who calls</h2><table><tbody>{rows}</tbody></table></section>'


def _problems(components: Mapping[str, Any]) -> str:
    parts = []
    for name, one in components["responses"].items():
        (media,) = one["content"].values()
        example = media["example"]
        parts.append(
            f'<details id="problem-{escape(name)}"><summary><code>{example["status"]}</code> {escape(name)} '
            f"<span>{_text(one['description'])}</span></summary>{_code(example)}</details>"
        )
    return f'<section id="problems"><h2>Problems</h2>{"".join(parts)}</section>'


def _schemas(components: Mapping[str, Any]) -> str:
    parts = "".join(
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code> '
        f"<span>{_text(str(one.get('description', '')).partition(chr(10))[0])}</span></summary>{_code(one)}</details>"
        for name, one in sorted(components["schemas"].items())
    )
    return f'<section id="schemas"><h2>Rows</h2>{parts}</section>'


def _code(value: object) -> str:
    return f"<pre><code>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</code></pre>"


def _text(text: str) -> str:
    """Plain text; what stands between single or double backticks is code."""
    parts = escape(text).replace("``", "`").split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))


def _words(tag: str) -> str:
    return tag.replace("_", " ").capitalize()
