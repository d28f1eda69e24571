/** Plain counts since the start, for the metrics page. */
export interface ChatCounters {
  accepted: number;
  /** delivered to us a second time, and dropped */
  duplicates: number;
  /** messages whose handling ended */
  handled: number;
  setAside: number;
  /** not answered because their person writes too fast */
  flooded: number;
  personErrors: number;
  worldErrors: number;
  /** faults of ours: each has a code in the log */
  faults: number;
  refused: number;
  /** addressed messages that nobody answered, until the core did */
  silences: number;
  sent: number;
  /** sends that did not go and wait for another try */
  retries: number;
  failed: number;
  /** sent to others, as their chat took nothing */
  passedOn: number;
  merged: number;
}

export const makeCounters = (): ChatCounters => ({
  accepted: 0,
  duplicates: 0,
  handled: 0,
  setAside: 0,
  flooded: 0,
  personErrors: 0,
  worldErrors: 0,
  faults: 0,
  refused: 0,
  silences: 0,
  sent: 0,
  retries: 0,
  failed: 0,
  passedOn: 0,
  merged: 0,
});
