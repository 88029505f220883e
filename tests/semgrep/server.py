# ruff: noqa
# Planted faults: `semgrep --test` wants each line marked "ruleid" found, and none marked "ok".


async def redirects(call):
    where = call.query.get("next", "/")
    # ruleid: outside-text-names-a-place
    return RedirectResponse(where, 303)


async def redirects_to_ours(call):
    link = await open_link(call)
    # ok: outside-text-names-a-place
    return RedirectResponse(link.url, 303)


async def writes_a_page(request):
    name = request.query_params["name"]
    page = f"<p>Hello {name}</p>"
    # ruleid: outside-text-is-a-page
    return HTMLResponse(page)


async def writes_an_escaped_page(request):
    name = html.escape(request.query_params["name"])
    # ok: outside-text-is-a-page
    return HTMLResponse(f"<p>Hello {name}</p>")


async def opens_a_file(request):
    # ruleid: outside-text-names-a-file
    return Path("files", request.path_params["name"]).read_bytes()


async def opens_by_number(request):
    # ok: outside-text-names-a-file
    return Path("files", str(UUID(request.path_params["name"]))).read_bytes()


async def asks_by_text(call, conn):
    wanted = await call.decode(Wanted)
    sql = "SELECT * FROM contact WHERE name = '" + wanted.name + "'"
    # ruleid: outside-text-is-sql
    return await conn.fetch(sql)


async def asks_by_parameter(call, conn):
    wanted = await call.decode(Wanted)
    # ok: outside-text-is-sql
    return await conn.fetch(QUERIES["find"], wanted.name)


async def starts_a_program(call):
    wanted = await call.decode(Wanted)
    # ruleid: outside-text-is-a-program
    await asyncio.create_subprocess_exec("convert", wanted.name)


def reads_a_token(token, key):
    # ruleid: token-read-without-its-algorithm
    jwt.decode(token, key)
    # ok: token-read-without-its-algorithm
    jwt.decode(token, key, algorithms=["RS256"])
