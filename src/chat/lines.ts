import type { OutboxRow } from '../store/outbox.js';
import type { Digests } from './digest.js';
import type { Channel, ChannelLimits, ChatAddress } from './message.js';
import { costOf, filesOf, type OutPayload, readPayload, wholeKey } from './outgoing.js';
import { makePaces } from './paces.js';
import { isUrgent } from './priority.js';
import { makeRates } from './rates.js';

/** What waits for one chat, in the order of sending. */
export interface Lane {
  chatId: string;
  limits: ChannelLimits;
  rows: OutboxRow[];
  busy: boolean;
  /** nothing goes to this chat before, monotonic ms */
  heldUntilMs: number;
  heldFor: 'network' | 'rate' | null;
  add(row: OutboxRow): boolean;
  remove(row: OutboxRow): void;
}

/** What waits for one channel. Times are monotonic milliseconds. */
export interface Line {
  readonly channel: Channel;
  /** chats that are groups */
  readonly groups: Set<string>;
  /** how many are being sent just now */
  sending: { words: number; upload: number };
  timer: NodeJS.Timeout | undefined;
  /** false when it is in already */
  add(row: OutboxRow, nowMs: number): boolean;
  laneOf(chatId: string): Lane;
  /** The next row of each chat that may go now, most urgent first. */
  ready(nowMs: number): { lane: Lane; row: OutboxRow }[];
  /** When something that is held back may go again; Infinity if nothing is. */
  nextWakeMs(nowMs: number): number;
  waitMs(lane: Lane, row: OutboxRow, nowMs: number): number;
  take(lane: Lane, row: OutboxRow, nowMs: number): void;
  spare(chatId: string, nowMs: number): boolean;
  holdBack(lane: Lane, row: OutboxRow, why: 'wait' | 'retry', ms: number, nowMs: number): void;
  /** Notes a success; true when others wait for the network. */
  succeeded(nowMs: number): boolean;
  /** Ends all waiting for the network; true when something did. */
  wake(): boolean;
  move(from: string, to: string): void;
  size(): number;
  /** Is a part of the message with this key still waiting? */
  has(key: string): boolean;
}

/** Where a row of this lane goes. */
export const addressOf = (line: Line, lane: Lane, { topic }: OutPayload): ChatAddress => ({
  ...{ channel: line.channel.name, chatId: lane.chatId },
  ...(topic === undefined ? {} : { topic }),
});

interface Weight {
  payload: string;
  /** messages as the platform counts them */
  cost: number;
  files: number;
  /** of its files together */
  bytes: number;
}

const weights = new WeakMap<OutboxRow, Weight>();

/** Read once for each payload: whatever waits is looked at each time something is put or sent. */
export function weightOf(row: OutboxRow): Weight {
  const known = weights.get(row);
  if (known?.payload === row.payload) return known;
  const { reply } = readPayload(row.payload);
  const files = filesOf(reply);
  const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const weight = { payload: row.payload, cost: costOf(reply), files: files.length, bytes };
  weights.set(row, weight);
  return weight;
}

const before = (a: OutboxRow, b: OutboxRow) => a.priority - b.priority || a.id - b.id;

function makeLane(chatId: string, limits: ChannelLimits): Lane {
  return {
    chatId,
    limits,
    rows: [],
    busy: false,
    heldUntilMs: 0,
    heldFor: null,
    add(row) {
      if (this.rows.some((other) => other.id === row.id)) return false;
      let at = this.rows.length;
      while (at > 0 && before(row, this.rows[at - 1]!) < 0) at -= 1;
      this.rows.splice(at, 0, row);
      return true;
    },
    remove(row) {
      const at = this.rows.findIndex((other) => other.id === row.id);
      if (at >= 0) this.rows.splice(at, 1);
    },
  };
}

export function makeLine(channel: Channel, digests: Digests = {}): Line {
  const rates = makeRates(channel.limits.rates);
  const paces = makePaces(digests);
  const lanes = new Map<string, Lane>();
  const groups = new Set<string>();
  /** rows that alone are held back while their chat goes on */
  const heldRows = new Map<number, number>();
  let pausedUntilMs = 0;
  let lastSuccessMs = Number.NEGATIVE_INFINITY;
  const firstTryMs = new Map<number, number>();
  const lastTryMs = new Map<string, number>();

  const laneOf = (chatId: string) => {
    let lane = lanes.get(chatId);
    if (lane === undefined) {
      lane = makeLane(chatId, channel.limits);
      lanes.set(chatId, lane);
    }
    return lane;
  };
  const heldMs = (row: OutboxRow) => heldRows.get(row.id) ?? 0;
  /** The row that may go now: not one that is held back alone, or whose kind has to wait. */
  function headOf(lane: Lane, nowMs: number): OutboxRow | undefined {
    const paceMs = paces.look(lane.chatId, nowMs);
    return lane.rows.find((row) => paceMs(row) === 0 && heldMs(row) <= nowMs);
  }
  /** When something of this lane may go. */
  function wakeMs(lane: Lane, nowMs: number): number {
    const paceMs = paces.look(lane.chatId, nowMs);
    let next = Number.POSITIVE_INFINITY;
    for (const row of lane.rows) {
      next = Math.min(next, Math.max(nowMs + paceMs(row), heldMs(row)));
      if (next <= nowMs) break;
    }
    return next;
  }
  const cost = (row: OutboxRow) => weightOf(row).cost;

  const line: Line = {
    channel,
    groups,
    sending: { words: 0, upload: 0 },
    timer: undefined,
    laneOf,
    add(row, nowMs) {
      const lane = laneOf(row.chatId);
      if (!lane.add(row)) return false;
      // something new to say is a reason to try again, but not to hammer
      if (lane.heldFor === 'network' && nowMs - (lastTryMs.get(row.chatId) ?? 0) >= 1000)
        lane.heldUntilMs = 0;
      return true;
    },
    ready(nowMs) {
      if (nowMs < pausedUntilMs) return [];
      const found: { lane: Lane; row: OutboxRow }[] = [];
      for (const [chatId, lane] of lanes) {
        if (lane.busy) continue;
        if (lane.rows.length === 0) {
          if (lane.heldUntilMs <= nowMs) lanes.delete(chatId);
          continue;
        }
        if (lane.heldUntilMs > nowMs) continue;
        const row = headOf(lane, nowMs);
        if (row !== undefined) found.push({ lane, row });
      }
      return found.sort((a, b) => before(a.row, b.row));
    },
    nextWakeMs(nowMs) {
      let next = Number.POSITIVE_INFINITY;
      for (const lane of lanes.values()) {
        if (lane.busy || lane.rows.length === 0) continue;
        const at = Math.max(lane.heldUntilMs, pausedUntilMs, wakeMs(lane, nowMs));
        if (at > nowMs) next = Math.min(next, at);
      }
      return next;
    },
    waitMs(lane, row, nowMs) {
      // asked first: in a flood it closes the channel for thousands of chats at once
      const roomMs = channel.roomInMs?.(weightOf(row).files, isUrgent(row.priority)) ?? 0;
      return roomMs > 0 ? roomMs : rates.waitMs(lane.chatId, groups.has(lane.chatId), cost(row), nowMs);
    },
    take(lane, row, nowMs) {
      rates.take(lane.chatId, groups.has(lane.chatId), cost(row), nowMs);
      paces.take(lane.chatId, row, nowMs);
      lastTryMs.set(lane.chatId, nowMs);
      heldRows.delete(row.id);
      if (lastTryMs.size > 5000) lastTryMs.clear();
      if (!firstTryMs.has(row.id)) firstTryMs.set(row.id, nowMs);
      if (firstTryMs.size > 5000)
        for (const id of firstTryMs.keys()) {
          firstTryMs.delete(id);
          if (firstTryMs.size <= 2500) break;
        }
    },
    spare(chatId, nowMs) {
      const lane = lanes.get(chatId);
      if (nowMs < pausedUntilMs || (lane && (lane.heldUntilMs > nowMs || lane.rows.length > 0))) return false;
      const group = groups.has(chatId);
      if ((channel.roomInMs?.(0, false) ?? 0) > 0 || rates.waitMs(chatId, group, 1, nowMs) > 0) return false;
      rates.take(chatId, group, 1, nowMs);
      return true;
    },
    holdBack(lane, row, why, ms, nowMs) {
      if (why === 'wait') {
        // two chats refused at once: it is the whole bot that must wait
        const others = [...lanes.values()].some(
          (other) => other !== lane && other.heldFor === 'rate' && other.heldUntilMs > nowMs,
        );
        if (others) pausedUntilMs = Math.max(pausedUntilMs, nowMs + ms);
        lane.heldUntilMs = nowMs + ms;
        lane.heldFor = 'rate';
        return;
      }
      // one that fails again and again while others arrive does not hold its chat up
      if (row.attempts >= 3 && lastSuccessMs > (firstTryMs.get(row.id) ?? nowMs)) {
        heldRows.set(row.id, nowMs + ms);
        return;
      }
      lane.heldUntilMs = nowMs + ms;
      lane.heldFor = 'network';
    },
    succeeded(nowMs) {
      lastSuccessMs = nowMs;
      return [...lanes.values()].some((lane) => lane.heldFor === 'network' && lane.heldUntilMs > nowMs);
    },
    wake() {
      let woken = false;
      for (const lane of lanes.values())
        if (lane.heldFor === 'network') {
          lane.heldFor = null;
          lane.heldUntilMs = 0;
          woken = true;
        }
      return woken;
    },
    move(from, to) {
      if (groups.delete(from)) groups.add(to);
      const lane = lanes.get(from);
      if (lane === undefined || from === to) return;
      lanes.delete(from);
      const target = laneOf(to);
      for (const row of lane.rows) {
        row.chatId = to;
        target.add(row);
      }
      lane.rows = [];
    },
    has: (key) => [...lanes.values()].some((lane) => lane.rows.some((row) => wholeKey(row.key) === key)),
    size: () => [...lanes.values()].reduce((sum, lane) => sum + lane.rows.length, 0),
  };
  return line;
}
