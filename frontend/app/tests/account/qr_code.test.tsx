import { render, screen } from "@testing-library/react";
import jsQR from "jsqr";
import { describe, expect, it } from "vitest";
import { QrCode, modulesOf } from "../../src/account/QrCode";

const SCALE = 4;
const MARGIN = 4;

/** Reads a code as a phone would: from pixels. */
function read(text: string): string | undefined {
  const rows = modulesOf(text);
  const side = (rows.length + 2 * MARGIN) * SCALE;
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const dark = rows[Math.floor(y / SCALE) - MARGIN]?.[Math.floor(x / SCALE) - MARGIN] === true;
      if (dark) pixels.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
    }
  }
  return jsQR(pixels, side, side)?.data;
}

describe("QrCode", () => {
  it.each([
    "otpauth://totp/Northwind:lin%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Northwind&algorithm=SHA1&digits=6&period=30",
    `otpauth://totp/${encodeURIComponent("Kö".repeat(40))}?secret=JBSWY3DPEHPK3PXP`,
    "x",
  ])("is read as what it says: %s", (text) => {
    expect(read(text)).toBe(text);
  });

  it("has a name for those who do not see it, and a margin", () => {
    render(<QrCode text="x" label="Code for your app" />);
    const drawn = screen.getByRole("img", { name: "Code for your app" });
    expect(drawn.getAttribute("viewBox")).toBe("0 0 29 29");
  });
});
