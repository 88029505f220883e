import { describe, expect, it } from "vitest";
import { freeze, holdOrder, neighbour, selectRows, tabCount, tabOf, toView, withPending } from "../../src/inbox/list";
import type { Conversation } from "../../src/types.gen";
import { ME, conversation } from "../rows";

const at = (id: string, minute: number, over: Partial<Conversation> = {}): Conversation =>
  conversation({ id, last_activity_at: `2026-01-01T10:${String(minute).padStart(2, "0")}:00Z`, ...over });
const table = (...rows: Conversation[]): Record<string, Conversation> => Object.fromEntries(rows.map((row) => [row.id, row]));
const ids = (rows: readonly Conversation[]): string[] => rows.map((row) => row.id);
const all = { tab: "open", filter: "all", me: ME, floor: null } as const;

describe("selectRows", () => {
  const rows = table(at("a", 1), at("b", 3, { assignee_id: ME }), at("c", 2, { status: "closed" }), at("d", 5, { status: "pending", assignee_id: "m-2" }), at("e", 4, { status: "snoozed" }));

  it("shows a tab newest first; pending ones are open", () => expect(ids(selectRows(rows, all))).toEqual(["d", "b", "a"]));
  it("filters mine and unassigned", () => {
    expect(ids(selectRows(rows, { ...all, filter: "mine" }))).toEqual(["b"]);
    expect(ids(selectRows(rows, { ...all, filter: "unassigned" }))).toEqual(["a"]);
  });
  it("leaves out what lies below the floor of what was fetched", () =>
    expect(ids(selectRows(rows, { ...all, floor: "2026-01-01T10:02:00Z" }))).toEqual(["d", "b"]));
  it("orders equal times the same way each time", () =>
    expect(ids(selectRows(table(at("x", 1), at("y", 1)), all))).toEqual(ids(selectRows(table(at("y", 1), at("x", 1)), all))));
});

describe("holdOrder", () => {
  it("keeps rows in place and counts what came or moved up", () => {
    const frozen = freeze([at("a", 5), at("b", 4), at("c", 3)]);
    const now = table(at("a", 5), at("b", 4), at("c", 9), at("new", 10));
    const { rows, waiting } = holdOrder(frozen, selectRows(now, all), now);
    expect(ids(rows)).toEqual(["a", "b", "c"]);
    expect(waiting).toBe(2);
  });
  it("counts nothing when the newest row merely gets newer", () => {
    const frozen = freeze([at("a", 5), at("b", 4)]);
    const now = table(at("a", 8), at("b", 4));
    expect(holdOrder(frozen, selectRows(now, all), now).waiting).toBe(0);
  });
  it("appends older pages at once", () => {
    const frozen = freeze([at("a", 5), at("b", 4)]);
    const now = table(at("a", 5), at("b", 4), at("old", 1));
    expect(holdOrder(frozen, selectRows(now, all), now)).toMatchObject({ waiting: 0, rows: [{ id: "a" }, { id: "b" }, { id: "old" }] });
  });
  it("drops rows one may no longer see", () => {
    const now = table(at("a", 5));
    expect(ids(holdOrder(freeze([at("a", 5), at("b", 4)]), selectRows(now, all), now).rows)).toEqual(["a"]);
  });
});

it("neighbour goes down, up, stops at the ends, and starts at the top", () => {
  const rows = [at("a", 3), at("b", 2)];
  expect([neighbour(rows, "a", 1), neighbour(rows, "b", 1), neighbour(rows, "b", -1), neighbour(rows, null, 1), neighbour([], null, 1)]).toEqual(["b", null, "a", "a", null]);
});

it("withPending shows what the member did before the hub says so, and shares the table otherwise", () => {
  const rows = table(at("a", 1));
  expect(withPending(rows, { a: { status: "closed" } })["a"]?.status).toBe("closed");
  expect(withPending(rows, {})).toBe(rows);
  expect(withPending(rows, { gone: { status: "closed" } })).toBe(rows);
});

it("tabs and views have the hub's words", () => {
  expect(tabCount({ open: 2, pending: 1, snoozed: 4, closed: 8 }, "open")).toBe(3);
  expect([tabOf("pending"), tabOf("snoozed"), tabOf("closed")]).toEqual(["open", "snoozed", "closed"]);
  expect(toView("closed", "mine")).toEqual({ status: "closed", assignee: "me" });
  expect(toView("open", "unassigned").assignee).toBe("none");
});
