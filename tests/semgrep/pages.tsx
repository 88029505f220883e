// Planted faults: `semgrep --test` wants each line marked "ruleid" found, and none marked "ok".

export function Shown({ text }: { text: string }) {
  // ruleid: text-becomes-html
  const bad = <div dangerouslySetInnerHTML={{ __html: text }} />;
  // ok: text-becomes-html
  const good = <div>{text}</div>;
  return <>{bad}{good}</>;
}

export function write(element: HTMLElement, text: string) {
  // ruleid: text-becomes-html
  element.innerHTML = text;
  // ruleid: text-becomes-html
  element.insertAdjacentHTML("beforeend", text);
  // ok: text-becomes-html
  element.textContent = text;
}

export function run(text: string) {
  // ruleid: text-becomes-a-program
  eval(text);
  // ruleid: text-becomes-a-program
  return new Function(text);
}

export function tell(frame: Window, body: string, origin: string) {
  // ruleid: message-to-any-window
  frame.postMessage(body, "*");
  // ok: message-to-any-window
  frame.postMessage(body, origin);
}

export function hear(take: (data: unknown) => void, hub: string) {
  // ruleid: message-from-any-window
  window.addEventListener("message", (event) => { take(event.data); });
  // ok: message-from-any-window
  window.addEventListener("message", (event) => { if (event.origin === hub) take(event.data); });
}

export function Away({ to }: { to: string }) {
  // ruleid: new-tab-reaches-back
  const bad = <a href={to} target="_blank">There</a>;
  // ok: new-tab-reaches-back
  const good = <a href={to} target="_blank" rel="noopener">There</a>;
  return <>{bad}{good}</>;
}

export function keep(session: { token: string }, theme: string) {
  // ruleid: secret-is-left-in-the-browser
  localStorage.setItem("session", session.token);
  // ok: secret-is-left-in-the-browser
  localStorage.setItem("theme", theme);
}
