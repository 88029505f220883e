import { render } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { Avatar } from "../src/ui/basics";

describe("Avatar", () => {
  it("is the picture where there is one, and letters where there is none", () => {
    const { container, rerender } = render(<Avatar id="m-1" name="Priya Raman" picture="abc" />);
    expect(container.querySelector("img")).toHaveAttribute("src", "/avatars/abc");
    expect(container.querySelector(".avatar")).toHaveAttribute("data-letters", "");
    rerender(<Avatar id="m-1" name="Priya Raman" picture="" />);
    expect(container.querySelector("img")).toBeNull();
    expect(container.querySelector(".avatar")).toHaveAttribute("data-letters", "PR");
  });
});
