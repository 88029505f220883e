/** The filters of the audit log's address as the API takes them. */
import { describe, expect, it } from "vitest";
import { filtersOf } from "../../src/audit/calls";
import { parseRoute, toPath } from "../../src/router";

const NOTHING = { actor: null, action: null, kind: null, row: null, since: null, until: null };

describe("filters of the audit log", () => {
  it("take the last day whole, in the member's zone", () => {
    const { since, until } = filtersOf({ ...NOTHING, since: "2026-11-02", until: "2026-11-02" });
    expect(new Date(since ?? "").getTime()).toBe(new Date(2026, 10, 2).getTime());
    expect(new Date(until ?? "").getTime()).toBe(new Date(2026, 10, 3).getTime());
  });

  it("leave out what is no day", () => {
    expect(filtersOf({ ...NOTHING, since: "soon" }).since).toBeNull();
  });

  it("are kept in the address", () => {
    const path = "/settings/audit?actor=m-1&action=member.&since=2026-11-02";
    const [pathname = "", search = ""] = path.split("?");
    expect(toPath(parseRoute({ pathname, search: `?${search}`, hash: "" }))).toBe(path);
  });
});
