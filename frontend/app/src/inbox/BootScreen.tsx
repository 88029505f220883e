/** The inbox's outline while the first state is on its way; says so when it does not come. */
import { useClient, useSignal } from "../context";
import { Button, Skeleton } from "../ui/basics";
import { ConnectionPill } from "./ConnectionPill";

export function BootScreen() {
  const client = useClient();
  const { phase } = useSignal(client.connectionSignal);
  const stuck = phase === "waiting" || phase === "offline";
  return (
    <div className="shell" data-page="inbox">
      <div className="rail" />
      <div className="nav" />
      <main className="inbox inbox-boot">
        <section className="pane pane-list" aria-label="Conversations">
          <div className="pane-head" />
          <Skeleton rows={8} className="skeleton-list" />
        </section>
        <section className="pane pane-thread" aria-label="Connection">
          {stuck && (
            <div className="boot-stuck" role="alert">
              <p>{phase === "offline" ? "You are offline. The inbox opens as soon as the network is back." : "The hub does not answer yet."}</p>
              <ConnectionPill />
              <Button look="primary" icon="refresh" onClick={() => client.wake()}>Try now</Button>
            </div>
          )}
        </section>
      </main>
    </div>
  );
}
