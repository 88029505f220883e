import { expect, it } from "vitest";
import { bench } from "./fakes.ts";

const SEEDS = Array.from({ length: 60 }, (_, at) => at * 7919 + 1);

/** Both sides talk while frames are dropped, doubled and connections cut; then the faults end. */
it.each(SEEDS)("shows each message once and in order whatever the network does (seed %i)", async (seed) => {
  const made = bench();
  const { clock, hub } = made;
  clock.seed = seed;
  await made.chat.start();
  made.chat.send("first");
  await clock.pass(1000);
  hub.faults = { dropToHub: 0.2, dropToVisitor: 0.2, duplicate: 0.2, cut: 0.05 };
  hub.window = clock.random() < 0.5 ? 1000 : 5;
  const own = ["first"];
  for (let step = 0; step < 60; step++) {
    const dice = clock.random();
    if (dice < 0.3) {
      own.push(`own ${step}`);
      made.chat.send(`own ${step}`);
    } else if (dice < 0.6) hub.answer(`answer ${step}`);
    else if (dice < 0.64) hub.close();
    else if (dice < 0.68) hub.epoch++;
    else if (dice < 0.72) await made.reload().start();
    else await clock.pass(clock.random() * 15_000);
    const ids = made.chat.state().messages.map(({ id }) => id);
    expect(new Set(ids).size, "shown twice").toBe(ids.length);
  }
  hub.faults = { dropToHub: 0, dropToVisitor: 0, duplicate: 0, cut: 0 };
  await clock.pass(200_000);
  for (const { id } of made.chat.state().outgoing) made.chat.outbox.retry(id);
  await clock.pass(200_000);
  while (made.chat.state().earlier) await made.chat.loadEarlier();

  expect(made.texts()).toEqual(hub.messages.map(({ text }) => text));
  expect(made.chat.state().outgoing).toEqual([]);
  const committed = hub.messages.filter((message) => message.author_kind === "contact").map(({ text }) => text);
  expect([...committed].sort()).toEqual([...own].sort());
});
