/** How screens reach the signed-in member's client. */
import { createContext, useContext, useSyncExternalStore } from "react";
import type { ChannelView } from "./types.gen";
import type { SessionAnswer } from "./api";
import type { HubClient } from "./sync/client";
import type { State } from "./sync/state";

export interface SignedIn {
  readonly client: HubClient;
  readonly session: SessionAnswer;
  readonly manifests: readonly ChannelView[];
  readonly signOut: () => void;
  /** Reads anew which workspaces there are. */
  readonly reloadSession: () => Promise<void>;
  readonly switchWorkspace: (workspaceId: number) => void;
}

const Context = createContext<SignedIn | null>(null);
export const SignedInProvider = Context.Provider;

export function useSignedIn(): SignedIn {
  const value = useContext(Context);
  if (value === null) throw new Error("This screen is only for signed-in members.");
  return value;
}

export const useClient = (): HubClient => useSignedIn().client;

/** Reads from the state; the selector must return something the state already holds, not a new object. */
export function useFeed<Value>(select: (state: State) => Value): Value {
  const { feed } = useClient();
  return useSyncExternalStore(feed.subscribe, () => {
    const state = feed.get();
    if (state === null) throw new Error("The inbox is shown only once there is a state.");
    return select(state);
  });
}

export function useSignal<Value>(signal: { get: () => Value; subscribe: (listener: () => void) => () => void }): Value {
  return useSyncExternalStore(signal.subscribe, signal.get);
}

export function useManifest(channel: string): ChannelView | undefined {
  return useSignedIn().manifests.find((manifest) => manifest.id === channel);
}
