import type { Response } from 'express';
import { makeToken } from '../../base/seal.js';
import type { Pass } from './gate.js';

/** Events a page hears. Those with an id are kept for a while, so that a broken connection resumes without a gap. */
type EventName = 'line' | 'activity';

interface Kept {
  number: number;
  chatId: string;
  frame: string;
}

export interface Hub {
  /** the id of the newest event: what comes after it is heard by a stream opened with it */
  position(): string;
  publish(name: EventName, chatId: string, data: unknown): void;
  /**
   * Streams events to a browser until it leaves or its pass ends.
   * @param lastId the last event it has seen ("" = none): later ones are sent again, or `reset` when they are gone
   * @param enter asks for the pass again
   */
  open(response: Response, pass: Pass, lastId: string, enter: () => Promise<Pass | null>): void;
  /** Asks all passes again now: streams of people whose role has ended end. */
  recheck(): Promise<void>;
  close(): void;
}

const KEPT = 500;
const BEAT_MS = 10_000;
/** a pass is asked again before an event when it is older */
const PASS_FRESH_MS = 1_000;
/** a browser that takes nothing loses its connection beyond this, and resumes later */
const BACKLOG_BYTES = 4_000_000;

const frame = (name: string, data: unknown, id?: string) =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

export function makeHub(): Hub {
  const epoch = makeToken().slice(0, 8);
  const kept: Kept[] = [];
  const listeners = new Set<Listener>();
  let number = 0;

  interface Listener {
    tell(chatId: string, text: string): void;
    check(): Promise<void>;
    end(): void;
  }

  /** Events after `lastId`; null when some of them are no longer kept. */
  function since(lastId: string): Kept[] | null {
    const [of, at] = lastId.split('.');
    if (of !== epoch) return null;
    const seen = Number(at);
    if (!Number.isSafeInteger(seen) || seen > number || seen < number - kept.length) return null;
    return kept.filter((event) => event.number > seen);
  }

  return {
    position: () => `${epoch}.${number}`,
    publish(name, chatId, data) {
      if (name === 'activity') {
        for (const listener of listeners) listener.tell(chatId, frame(name, data));
        return;
      }
      number += 1;
      const text = frame(name, data, `${epoch}.${number}`);
      kept.push({ number, chatId, frame: text });
      if (kept.length > KEPT) kept.shift();
      for (const listener of listeners) listener.tell(chatId, text);
    },

    open(response, pass, lastId, enter) {
      response.status(200).set({
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
      response.flushHeaders();
      let current: Pass | null = pass;
      let askedAt = performance.now();
      let queue = Promise.resolve();

      const end = () => {
        clearInterval(beat);
        listeners.delete(listener);
        if (!response.writableEnded) response.end();
      };
      const check = async () => {
        if (performance.now() - askedAt < PASS_FRESH_MS) return;
        await checkNow();
      };
      const checkNow = async () => {
        current = await enter();
        askedAt = performance.now();
        if (current !== null) return;
        if (!response.writableEnded) response.write(frame('bye', {}));
        end();
      };
      const inTurn = (work: () => Promise<void>) => {
        queue = queue.then(work).catch(end);
        return queue;
      };
      const write = (text: string) => {
        if (response.writableEnded) return;
        response.write(text);
        if (response.writableLength > BACKLOG_BYTES) response.destroy();
      };
      const listener: Listener = {
        tell: (chatId, text) =>
          void inTurn(async () => {
            await check();
            if (current?.hears(chatId)) write(text);
          }),
        check: () => inTurn(checkNow),
        end,
      };
      const beat = setInterval(
        () =>
          void inTurn(async () => {
            await check();
            write(frame('beat', {}));
          }),
        BEAT_MS,
      );
      response.on('close', end);

      const missed = lastId === '' ? [] : since(lastId);
      // `hello` comes last: its id says that everything before it has arrived.
      if (missed === null) write(frame('reset', {}));
      else for (const event of missed) if (pass.hears(event.chatId)) write(event.frame);
      write(`retry: 1000\n${frame('hello', {}, `${epoch}.${number}`)}`);
      listeners.add(listener);
    },

    async recheck() {
      await Promise.all([...listeners].map((listener) => listener.check()));
    },

    close() {
      for (const listener of [...listeners]) listener.end();
    },
  };
}
