/** Channels in the order members are offered them. Pure. */
import type { ChannelView } from "../types.gen";

/** Lowest rank first; equal ones by name. */
export const byRank = (manifests: readonly ChannelView[]): ChannelView[] =>
  [...manifests].sort((left, right) => left.rank - right.rank || left.name.localeCompare(right.name));
