import { beforeEach, expect, it, vi } from "vitest";
import { draw, h, type Child } from "../frame/views/dom.ts";

let root: HTMLElement;
beforeEach(() => {
  root = document.createElement("div");
});

const items = (...keys: string[]): Child => h("ol", null, keys.map((key) => h("li", { key }, key)));

it("keeps keyed elements when others come, go and move", () => {
  draw(root, [items("a", "b", "c")]);
  const [a, b, c] = root.querySelectorAll("li");
  draw(root, [items("x", "c", "a")]);
  expect([...root.querySelectorAll("li")].map((item) => item.textContent)).toEqual(["x", "c", "a"]);
  expect(root.querySelectorAll("li")[1]).toBe(c);
  expect(root.querySelectorAll("li")[2]).toBe(a);
  expect(b!.isConnected).toBe(false);
});

it("draws every order of keys over every other", () => {
  const orders = ["", "a", "ab", "ba", "abc", "cab", "bdc", "dcba", "abcde"].map((text) => [...text]);
  for (const from of orders)
    for (const to of orders) {
      draw(root, [items(...from)]);
      draw(root, [items(...to)]);
      expect(root.textContent).toBe(to.join(""));
    }
});

it("leaves a field and what was typed in it alone", () => {
  const form = (label: string) => [h("p", null, label), h("textarea", { rows: 1 }, "draft")];
  draw(root, form("one"));
  const field = root.querySelector("textarea")!;
  field.value = "typed";
  draw(root, form("two"));
  expect(root.querySelector("textarea")).toBe(field);
  expect(field.value).toBe("typed");
});

it("sets, changes and takes away attributes and listeners", () => {
  const first = vi.fn();
  draw(root, [h("button", { onclick: first, class: "a", disabled: true })]);
  const button = root.querySelector("button")!;
  expect([button.className, button.disabled]).toEqual(["a", true]);
  draw(root, [h("button", { class: "b", disabled: false, title: null })]);
  button.click();
  expect(first).not.toHaveBeenCalled();
  expect([button.className, button.disabled, button.hasAttribute("title")]).toEqual(["b", false, false]);
});

it("treats text as text", () => {
  draw(root, [h("p", null, "<img src=x onerror=alert(1)>")]);
  expect(root.querySelector("img")).toBeNull();
  expect(root.textContent).toBe("<img src=x onerror=alert(1)>");
});

it("skips what is false, null or absent and replaces one kind of element by another", () => {
  draw(root, [false, null, undefined, "a", h("p", null, "b")]);
  draw(root, [h("p", null, "c"), "d"]);
  expect(root.innerHTML).toBe("<p>c</p>d");
});
