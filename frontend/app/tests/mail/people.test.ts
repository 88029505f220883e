import { describe, expect, it } from "vitest";
import { readAddressing } from "../../src/mail/AddressFields";
import { parseParties } from "../../src/mail/people";

describe("parseParties", () => {
  it.each([
    ["", [], []],
    ["ana@example.com", [["", "ana@example.com"]], []],
    ['Ana Okafor <ana@example.com>, "Moreau, Carla" <c@example.org>; bo@example.com', [["Ana Okafor", "ana@example.com"], ["Moreau, Carla", "c@example.org"], ["", "bo@example.com"]], []],
    ["a@example.com\nA@EXAMPLE.com", [["", "A@EXAMPLE.com"]], []],
    ["nobody, a@b", [], ["nobody", "a@b"]],
    ["<script>@x", [], ["<script>@x"]],
    ["x@example.com bcc: y@example.com", [], ["x@example.com bcc: y@example.com"]],
  ])("%j", (text, parties, wrong) => {
    expect(parseParties(text)).toEqual({ parties: parties.map(([name, address]) => ({ name, address })), wrong });
  });
});

describe("readAddressing", () => {
  const text = { to: "ana@example.com", cc: "", bcc: "", subject: " Re: Chair " };
  it("says nothing while nobody changed anything", () => expect(readAddressing(null, true)).toEqual({ addressing: null, problem: "" }));
  it("reads what was written", () =>
    expect(readAddressing(text, true).addressing).toEqual({ subject: "Re: Chair", to: [{ name: "", address: "ana@example.com" }], cc: [], bcc: [] }));
  it("names what is not an address, and misses a recipient", () => {
    expect(readAddressing({ ...text, cc: "boss" }, true).problem).toBe("“boss” is not an address.");
    expect(readAddressing({ ...text, to: " " }, true).problem).toBe("Say whom it goes to.");
  });
});
