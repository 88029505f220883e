import { fireEvent, render, screen } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { Link, currentRoute, navigate, parseRoute, toPath } from "../src/router";
import type { Route } from "../src/router";

const parse = (address: string): Route => parseRoute(new URL(address, "http://hub.test"));

describe("routes", () => {
  it.each([
    "/", "/?tab=closed", "/?filter=mine", "/c/0190-a?tab=snoozed&filter=unassigned", "/settings/channels", "/settings/channels?connect=twilio_sms",
    "/settings/channels?account=0190", "/settings/members", "/settings/notifications", "/home", "/notices", "/welcome", "/sign-in", "/setup#tok-en_1", "/join#abc", "/reset#abc", "/verify#abc", "/invitation#abc", "/change-address#abc", "/stop-address-change#abc", "/sign-up", "/forgot",
  ])("%s is read and written alike", (address) => expect(toPath(parse(address))).toBe(address));

  it.each(["/c", "/c/1/2", "/settings/nothing", "/nowhere", "/setup/1", "/a/b/c/d"])("%s is nowhere", (address) => expect(parse(address)).toEqual({ page: "missing" }));

  it("takes unknown tabs and filters for the usual ones", () => {
    expect(parse("/?tab=evil&filter=%3Cscript%3E")).toEqual({ page: "inbox", tab: "open", filter: "all", conversation: null });
  });
});

describe("Link", () => {
  beforeEach(() => navigate(parse("/")));

  it("stays in the page on a plain click", () => {
    render(<Link to={parse("/settings/members")}>Members</Link>);
    expect(fireEvent.click(screen.getByText("Members"))).toBe(false);
    expect(currentRoute()).toEqual({ page: "members" });
    expect(window.location.pathname).toBe("/settings/members");
  });

  it("leaves Ctrl+click to the browser", () => {
    render(<Link to={parse("/settings/members")}>Members</Link>);
    fireEvent.click(screen.getByText("Members"), { ctrlKey: true });
    expect(currentRoute().page).toBe("inbox");
  });

  it("follows the browser's back button", async () => {
    navigate(parse("/settings/members"));
    window.history.back();
    await new Promise((resolve) => window.addEventListener("popstate", resolve, { once: true }));
    expect(currentRoute().page).toBe("inbox");
  });
});
