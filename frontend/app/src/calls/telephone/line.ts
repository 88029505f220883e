/** What a telephone in the browser needs of a vendor's library; tests have one of their own. */

/** One call on the line. */
export interface Talk {
  accept: () => void;
  /** Before it is accepted: let it ring elsewhere. */
  reject: () => void;
  hangUp: () => void;
  mute: (on: boolean) => void;
}

export interface LineEvents {
  /** Somebody calls; `from` is their number as the vendor shows it. */
  ringing: (talk: Talk, from: string) => void;
  /** The two are put through. */
  talking: () => void;
  /** The call is over, or the other side stopped ringing; `problem` in words where it ended by a fault. */
  ended: (problem: string) => void;
  /** The token ends soon. */
  tokenEnds: () => void;
  /** The line cannot be used; in words. */
  broken: (problem: string) => void;
}

export interface Line {
  /** Calls with what the hub sealed. */
  call: (order: string) => Promise<Talk>;
  renew: (token: string) => void;
  close: () => void;
}

/** Signs in at the vendor; throws with words for people. */
export type OpenLine = (token: string, events: LineEvents) => Promise<Line>;
