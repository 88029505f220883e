import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { listenForKeys } from "../../src/lib/keys";

describe("listenForKeys", () => {
  const act = vi.fn();
  let stop: () => void = () => undefined;
  const press = (key: string, over: KeyboardEventInit = {}, target: EventTarget = document.body): boolean =>
    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...over }));

  beforeEach(() => {
    act.mockReset();
    stop = listenForKeys(() => ({ j: () => act("j"), "?": () => act("?"), Escape: () => act("Escape") }));
  });
  afterEach(() => {
    stop();
    document.body.innerHTML = "";
  });

  it("acts on its keys, in either case, and leaves others alone", () => {
    expect([press("j"), press("J"), press("?", { shiftKey: true }), press("x")]).toEqual([false, false, false, true]);
    expect(act.mock.calls).toEqual([["j"], ["j"], ["?"]]);
  });

  it.each(["ctrlKey", "metaKey", "altKey"] as const)("leaves %s to the browser", (modifier) => {
    press("j", { [modifier]: true });
    expect(act).not.toHaveBeenCalled();
  });

  it.each(["<input>", "<textarea></textarea>", "<select></select>", "<div contenteditable='true'></div>"])("never acts while somebody types in %s", (html) => {
    document.body.innerHTML = html;
    press("j", {}, document.body.firstElementChild as Element);
    expect(act).not.toHaveBeenCalled();
  });

  it.each(["<dialog open></dialog>", "<div role='menu'></div>"])("rests while %s is open", (html) => {
    document.body.innerHTML = html;
    press("Escape");
    expect(act).not.toHaveBeenCalled();
  });

  it("ends when stopped", () => {
    stop();
    press("j");
    expect(act).not.toHaveBeenCalled();
  });
});
