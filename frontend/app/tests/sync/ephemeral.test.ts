import { describe, expect, it } from "vitest";
import { Ephemeral } from "../../src/sync/ephemeral";
import { FakeClock } from "../fakes";

describe("who is online", () => {
  const told = (): Ephemeral => {
    const company = new Ephemeral(new FakeClock());
    company.presence({ type: "presence", member_ids: ["a", "b"] });
    return company;
  };

  it("follows lists and changes of them", () => {
    const company = told();
    company.presenceChanged({ type: "presence_changed", came: ["c", "b"], went: ["a", "x"] });
    expect(company.get().online).toEqual(["c", "b"]);
    company.presence({ type: "presence", member_ids: ["d"] });
    expect(company.get().online).toEqual(["d"]);
  });

  it("stays unknown where only a change was told", () => {
    const company = told();
    company.presence({ type: "presence", member_ids: null });
    company.presenceChanged({ type: "presence_changed", came: ["c"], went: [] });
    expect(company.get().online).toBeNull();
  });
});
