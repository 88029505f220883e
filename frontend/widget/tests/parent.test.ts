import { expect, it } from "vitest";
import { wrap, type ToFrame } from "../bridge.ts";
import { joinParent } from "../frame/parent.ts";

const SITE = "https://shop.example";

function framed(hash = "#" + SITE, ancestors: string[] | undefined = [SITE]) {
  const said: { data: unknown; origin: string }[] = [];
  const parent = { postMessage: (data: unknown, origin: string) => void said.push({ data, origin }) };
  let listener: (event: unknown) => void = () => {};
  const page = {
    parent,
    location: { hash, ancestorOrigins: ancestors },
    addEventListener: (_: string, hear: typeof listener) => (listener = hear),
  };
  const heard: ToFrame[] = [];
  const joined = joinParent(page as never, (body) => heard.push(body));
  const tell = (data: unknown, from: { origin?: string; source?: unknown } = {}) =>
    listener({ data, origin: from.origin ?? SITE, source: from.source ?? parent });
  return { joined, said, heard, tell, page };
}

const INIT: ToFrame = { type: "init", state: { token: "t" }, identity: null, page_url: "", open: true, focus: true };

it("speaks to the origin it was made for and to no other", () => {
  const { said, joined } = framed();
  joined!.keep.set("draft", "x");
  expect(said).toEqual([
    { data: wrap({ type: "ready" }), origin: SITE },
    { data: wrap({ type: "set", key: "draft", value: "x" }), origin: SITE },
  ]);
});

it("hears only the page around it, and only from that origin", () => {
  const { heard, tell, page, joined } = framed();
  tell(wrap(INIT), { origin: "https://evil.example" });
  tell(wrap(INIT), { source: page });
  tell(INIT);
  tell(null);
  expect(heard).toEqual([]);
  expect(joined!.keep.get("token")).toBeNull();
  tell(wrap(INIT));
  expect(heard).toEqual([INIT]);
  expect(joined!.keep.get("token")).toBe("t");
});

it("refuses to start where its address does not agree with its ancestors", () => {
  expect(framed("#https://other.example").joined).toBeNull();
  expect(framed("").joined).toBeNull();
  expect(framed("#" + SITE, undefined).joined).not.toBeNull();
});

it("follows another tab's changes", () => {
  const { tell, joined, heard } = framed();
  tell(wrap({ type: "stored", key: "read", value: "m7" }));
  expect(joined!.keep.get("read")).toBe("m7");
  expect(heard).toHaveLength(1);
});
