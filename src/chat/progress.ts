import type { Log } from '../base/log.js';
import type { Channel, ChatAddress } from './message.js';
import type { Outbox } from './outbox.js';

/** The one line that shows what is under way. Best effort: nothing that must arrive goes this way. */
export interface Progress {
  /** Shows the line (if the work lasts a moment), or changes it, at most once a second; returns at once. */
  show(text: string): Promise<void>;
  /** Ends it and gives the id of its message, to be turned into the reply; null when there is none. */
  handOver(): Promise<string | null>;
  close(): Promise<void>;
}

const EVERY_MS = 1000;
/** work that is done sooner shows nothing: the line would only cost the reply its place in the rates */
const FIRST_AFTER_MS = 600;
/** a reply does not wait longer for a progress line that hangs */
const PATIENCE_MS = 3000;

export function makeProgress(options: {
  channel: Channel;
  outbox: Pick<Outbox, 'spare'>;
  to: ChatAddress;
  inboxId: number;
  log: Log;
}): Progress {
  const { channel, outbox, to, inboxId, log } = options;
  let shownId: string | null = null;
  let shownText = '';
  let wanted: string | null = null;
  let lastMs: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | null = null;
  let ended = false;

  function step(): void {
    if (ended || sending !== null || wanted === null || wanted === shownText || timer !== undefined) return;
    if (shownId !== null && !channel.limits.edit) return;
    const waitMs = (lastMs ?? 0) + EVERY_MS - performance.now();
    if (waitMs > 0 || !outbox.spare(to)) {
      timer = setTimeout(
        () => {
          timer = undefined;
          step();
        },
        waitMs > 0 ? waitMs : 250,
      );
      timer.unref();
      return;
    }
    const text = wanted.slice(0, channel.limits.textLength);
    lastMs = performance.now();
    sending = channel
      .send(to, { kind: 'text', text }, { inboxId, ...(shownId === null ? {} : { replaces: shownId }) })
      .then((sent) => {
        shownId = sent.ids.at(-1) ?? shownId;
        shownText = text;
      })
      .catch((error) => log.debug({ err: error }, 'progress was not shown'))
      .finally(() => {
        sending = null;
        step();
      });
  }

  async function end(): Promise<void> {
    ended = true;
    clearTimeout(timer);
    timer = undefined;
    if (sending === null) return;
    let patience: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([sending, enough]);
    clearTimeout(patience);
  }

  return {
    async show(text) {
      ended = false;
      wanted = text;
      lastMs ??= performance.now() - EVERY_MS + FIRST_AFTER_MS;
      step();
    },
    async handOver() {
      await end();
      const id = channel.limits.edit ? shownId : null;
      shownId = null;
      shownText = '';
      wanted = null;
      return id;
    },
    close: end,
  };
}
