/**
 * Posts events to the OA's webhook at an even pace, as Zalo does, in a process of its own: signed, each within 2 s, again
 * until it is confirmed; some told twice at once, some again when they were confirmed long since, some late.
 */
import http from 'node:http';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { ZaloServer } from '../../test/support/zalo-server.js';
import { floodPeople, saidAt, type Writer, writerOf } from './people.js';

/** the time in which Zalo wants an answer */
const ANSWER_MS = 2000;
/** an event that comes late, and one that is told again although it was confirmed */
const LATE_MS = 400;
const AGAIN_MS = 3000;
/** the bot's web server waits 30 s */
const IDLE_MS = 10_000;
/** Zalo waits half a minute; the pace of the flood matters here, not its length */
const RETRY_MS = 1000;

export interface SenderOptions {
  url: string;
  perSecond: number;
  seconds: number;
}

export interface SenderNews {
  /** ids of the messages that were told of, in the order in which they were written */
  ids: string[];
  tries: { first: boolean; outcome: number | string; tookMs: number }[];
  /** from the first event to the last, s */
  spentS: number;
  /** until each was confirmed, those told again not counted, s */
  confirmedS: number;
}

/** @returns the status, or why there was no answer within the time that Zalo gives */
function post(url: string, agent: http.Agent, mac: string, body: string): Promise<number | string> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'x-zevent-signature': `mac=${mac}` };
    const asked = http.request(url, { method: 'POST', agent, headers, timeout: ANSWER_MS }, (answer) => {
      answer.resume();
      answer.on('close', () => resolve(answer.complete ? (answer.statusCode ?? 0) : 'cut off'));
    });
    asked.on('timeout', () => {
      resolve('too late');
      asked.destroy();
    });
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.end(body);
  });
}

async function flood({ url, perSecond, seconds }: SenderOptions): Promise<SenderNews> {
  // only to write events as Zalo does: nobody calls it
  const zalo = await ZaloServer.start();
  const people = (writer: Writer) => floodPeople(writer).map((about) => zalo.person(about));
  const writers = {
    ...{ officer: people('officer'), household: people('household') },
    ...{ stranger: people('stranger'), machine: people('machine') },
  };
  const group = zalo.group({ name: 'Nhóm thôn', members: writers.stranger });
  // an idle connection is closed here before the bot closes it: else an event may be sent into the closing one
  const agent = new http.Agent({ keepAlive: true, timeout: IDLE_MS });
  const tries: SenderNews['tries'] = [];
  const open = new Set<Promise<void>>();
  const bodies: string[] = [];
  let confirmedMs = 0;
  zalo.webhook.onEmit = (body) => bodies.push(body);

  async function confirm(body: string, waitMs: number): Promise<void> {
    if (waitMs > 0) await pause(waitMs);
    const { timestamp } = JSON.parse(body) as { timestamp: string };
    const mac = zalo.webhook.sign(body, timestamp);
    for (let first = true; ; first = false) {
      const begunMs = performance.now();
      const outcome = await post(url, agent, mac, body);
      tries.push({ first, outcome, tookMs: performance.now() - begunMs });
      if (outcome === 200) {
        if (waitMs !== AGAIN_MS) confirmedMs = performance.now();
        return;
      }
      await pause(RETRY_MS);
    }
  }
  const tell = (body: string, waitMs = 0) => {
    const work = confirm(body, waitMs).finally(() => open.delete(work));
    open.add(work);
  };

  const ids: string[] = [];
  const total = perSecond * seconds;
  const begunMs = performance.now();
  for (let at = 0; at < total; at += 1) {
    const waitMs = begunMs + (at * 1000) / perSecond - performance.now();
    if (waitMs > 1) await pause(waitMs);
    const { writer, turn } = writerOf(at);
    const some = writers[writer];
    bodies.length = 0;
    const place = writer === 'stranger' && at % 10 === 9 ? { in: group } : {};
    ids.push(`m:${some[turn % some.length]!.says(saidAt(writer, at), place).id}`);
    const body = bodies[0]!;
    tell(body, at % 30 === 11 ? LATE_MS : 0);
    if (at % 20 === 7) tell(body);
    if (at % 50 === 21) tell(body, AGAIN_MS);
  }
  const spentS = (performance.now() - begunMs) / 1000;
  await Promise.all(open);
  agent.destroy();
  await zalo.stop();
  return { ids, tries, spentS, confirmedS: (confirmedMs - begunMs) / 1000 };
}

process.once('message', (options: SenderOptions) => {
  void flood(options).then((news) => process.send?.(news, () => process.disconnect()));
});
process.on('disconnect', () => process.exit());
