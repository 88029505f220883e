/** The addresses of the operator's panel, and bytes for people. */
import { describe, expect, it } from "vitest";
import { bytes } from "../../src/operator/bytes";
import { parseRoute, toPath } from "../../src/router";

describe("operator", () => {
  it("has addresses that are read as they are written", () => {
    for (const path of ["/operator", "/operator/7", "/settings/usage"]) {
      expect(toPath(parseRoute({ pathname: path, search: "", hash: "" }))).toBe(path);
    }
    expect(parseRoute({ pathname: "/operator/x", search: "", hash: "" }).page).toBe("missing");
  });

  it("writes bytes for people", () => {
    expect([0, 1023, 1536, 2 ** 31].map(bytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "2.0 GiB"]);
  });
});
