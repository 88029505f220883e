// Draws a tree of elements and later draws the next one over it, touching only what differs. A view library of our own
// because of the size: Preact alone is 5.6 KB of the widget's 12.

const SVG = ["svg", "path"];

type Props = Record<string, unknown> & { key?: string };
export type Child = Shape | string | null | undefined | false | Child[];
export interface Shape {
  tag: string;
  props: Props;
  children: Child[];
}

/** What each element was last drawn from. */
const drawn = new WeakMap<Node, Shape>();

/** Describes an element; `on…` properties are listeners, all others attributes (`false` and null: absent). */
export function h(tag: string, props: Props | null, ...children: Child[]): Shape {
  return { tag, props: props ?? {}, children };
}

/** Makes the children of `parent` be these. Elements with a `key` keep their identity when they move. */
export function draw(parent: Element, children: Child[]): void {
  const shapes = (children.flat(9) as Child[]).filter((child) => child || child === "") as (Shape | string)[];
  const wanted = new Set(shapes.map(keyOf));
  const keyed = new Map<string, Node>();
  // A copy: the list itself shrinks while nodes are taken out.
  [...parent.childNodes].forEach((node) => {
    const key = drawn.get(node)?.props.key;
    if (key && !wanted.has(key)) node.remove();
    else if (key) keyed.set(key, node);
  });
  let at = parent.firstChild;
  for (const shape of shapes) {
    const key = keyOf(shape);
    let node = key ? keyed.get(key) : at && matches(at, shape) ? at : null;
    node ??= typeof shape === "string" ? new Text() : create(shape.tag);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
    if (typeof shape !== "string") dress(node as Element, shape);
    else if ((node as Text).data !== shape) (node as Text).data = shape;
  }
  while (at) {
    const next: ChildNode | null = at.nextSibling;
    at.remove();
    at = next;
  }
}

function keyOf(shape: Shape | string): string | undefined {
  return typeof shape === "string" ? undefined : shape.props.key;
}

function matches(node: Node, shape: Shape | string): boolean {
  const was = drawn.get(node);
  return was ? was.tag === (shape as Shape).tag && !was.props.key : typeof shape === "string" && node instanceof Text;
}

function create(tag: string): Element {
  return SVG.includes(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
}

function dress(element: Element, shape: Shape): void {
  const before = drawn.get(element)?.props ?? {};
  drawn.set(element, shape);
  for (const name in { ...before, ...shape.props }) {
    const value = shape.props[name];
    if (value === before[name] || name === "key") continue;
    if (name.startsWith("on")) (element as unknown as Record<string, unknown>)[name] = value ?? null;
    else if (value === false || value == null) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  draw(element, shape.children);
}
