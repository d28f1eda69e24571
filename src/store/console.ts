import type { Database } from './database.js';

/** One line of the console's conversation; `payload` is the channel's own (JSON). */
export interface ConsoleLine {
  id: number;
  chatId: string;
  /** null = the bot */
  fromId: string | null;
  fromName: string | null;
  payload: unknown;
  sentMs: number;
  inboxId: number | null;
}

/** What was said in the console's chats. */
export interface ConsoleStore {
  add(line: Omit<ConsoleLine, 'id'>): Promise<ConsoleLine>;
  change(id: number, payload: unknown, inboxId: number | null): Promise<void>;
  setInbox(id: number, inboxId: number): Promise<void>;
  get(id: number): Promise<ConsoleLine | null>;
  /** The newest `limit` lines of a chat before line `beforeId` (null: from the end), oldest first. */
  recent(chatId: string, beforeId: number | null, limit: number): Promise<ConsoleLine[]>;
  /** What the bot answered to one inbox message, in all chats, in order. */
  answersTo(inboxId: number): Promise<ConsoleLine[]>;
  /** Lines of people that were written down, but not yet accepted when the process ended. */
  notAccepted(): Promise<ConsoleLine[]>;
  /** Deletes up to 500 lines older than `beforeMs` and returns them. */
  prune(beforeMs: number): Promise<ConsoleLine[]>;
}

interface Row {
  id: number;
  chatId: string;
  fromId: string | null;
  fromName: string | null;
  payload: string;
  sentMs: bigint;
  inboxId: number | null;
}

const line = (row: Row): ConsoleLine => ({
  ...row,
  payload: JSON.parse(row.payload) as unknown,
  sentMs: Number(row.sentMs),
});

export function makeConsoleStore(database: Database): ConsoleStore {
  const table = database.consoleMessage;
  return {
    async add(made) {
      return line(
        await table.create({
          data: { ...made, payload: JSON.stringify(made.payload), sentMs: BigInt(made.sentMs) },
        }),
      );
    },
    async change(id, payload, inboxId) {
      await table.update({
        where: { id },
        data: { payload: JSON.stringify(payload), ...(inboxId === null ? {} : { inboxId }) },
      });
    },
    async setInbox(id, inboxId) {
      await table.update({ where: { id }, data: { inboxId } });
    },
    async get(id) {
      const row = await table.findUnique({ where: { id } });
      return row === null ? null : line(row);
    },
    async recent(chatId, beforeId, limit) {
      const rows = await table.findMany({
        where: { chatId, ...(beforeId === null ? {} : { id: { lt: beforeId } }) },
        orderBy: { id: 'desc' },
        take: limit,
      });
      return rows.reverse().map(line);
    },
    async answersTo(inboxId) {
      const rows = await table.findMany({ where: { inboxId, fromId: null }, orderBy: { id: 'asc' } });
      return rows.map(line);
    },
    async notAccepted() {
      const rows = await table.findMany({
        where: { inboxId: null, fromId: { not: null } },
        orderBy: { id: 'asc' },
      });
      return rows.map(line);
    },
    async prune(beforeMs) {
      const rows = await table.findMany({
        where: { sentMs: { lt: BigInt(beforeMs) } },
        orderBy: { id: 'asc' },
        take: 500,
      });
      await table.deleteMany({ where: { id: { in: rows.map((row) => row.id) } } });
      return rows.map(line);
    },
  };
}
