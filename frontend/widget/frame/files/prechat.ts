import type { Config } from "../frames.ts";
import { h, type Child } from "../views/dom.ts";

/** The questions before the first message; the browser's own validation says what is missing. */
export function preChat(config: Config, complaint: string, done: (form: Record<string, string>) => void): Child {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const answers = [...new FormData(event.target as HTMLFormElement)];
    const filled = answers.map(([name, value]) => [name, String(value).trim()]).filter(([, value]) => value);
    done(Object.fromEntries(filled) as Record<string, string>);
  };
  return h(
    "form",
    { class: "prechat", onsubmit: submit },
    config.greeting && h("p", { dir: "auto" }, config.greeting),
    config.pre_chat.map(({ name, label, required }) =>
      h(
        "label",
        { key: name },
        h("span", null, h("bdi", null, label), !required && h("small", null, " (optional)")),
        h("input", {
          name,
          required,
          type: name === "email" ? "email" : "text",
          autocomplete: /^(name|email)$/.test(name) ? name : "off",
          maxlength: 200,
          dir: "auto",
          // More than spaces.
          pattern: name !== "email" && ".*\\S.*",
        }),
      ),
    ),
    h("p", { class: "failed", role: "alert" }, complaint),
    h("button", { class: "wide" }, "Start chat"),
  );
}
