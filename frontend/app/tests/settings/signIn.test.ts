/** What a vendor's way back leaves behind the #. */
import { expect, test } from "vitest";
import { parseReturned } from "../../src/settings/signIn";

const ATTEMPT = "01a207cb-190b-769a-8915-1961e263bb0f";

test("an attempt and its workspace are read", () => {
  expect(parseReturned(`#connect=${ATTEMPT}&workspace=7`)).toEqual({ attempt: ATTEMPT, workspace: 7 });
});

test.each(["#connect=expired", `#connect=${ATTEMPT}`, `#connect=${ATTEMPT}&workspace=x`, "#connect=..%2F..%2Fmembers&workspace=7"])(
  "%s is no attempt to ask about", (hash) => {
    expect(parseReturned(hash)).toBe("expired");
  });

test.each(["", "#", "#linked=google"])("%s says nothing of a sign-in", (hash) => {
  expect(parseReturned(hash)).toBeNull();
});
