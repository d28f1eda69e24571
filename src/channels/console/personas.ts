import fs from 'node:fs';
import path from 'node:path';
import express, { type Request } from 'express';
import { sameSecret } from '../../base/same.js';
import { makeToken } from '../../base/seal.js';
import type { ConsolePerson, Gate, Persona } from './gate.js';
import type { Answer } from './view.js';

/**
 * The demo's gate: on this machine alone, one may be any of the demo's people. This module is loaded in the demo only.
 */

export interface PersonasOptions {
  people(): Promise<ConsolePerson[]> | ConsolePerson[];
  /** members by userId */
  groups():
    | Promise<{ chatId: string; title: string; members: string[] }[]>
    | { chatId: string; title: string; members: string[] }[];
  /** where the shell finds its way in (`npm run say`), mode 0600 */
  keyFile: string;
  /** comes straight from this machine? */
  isLocal(request: Request): boolean;
  /** the value of a cookie */
  cookie(request: Request, name: string): string | null;
  /** resolves when an accepted message is done and all its answers are sent */
  turnDone(inboxId: number): Promise<void>;
  /** what the bot answered, in its final form */
  answers(inboxId: number, chats: string[]): Promise<Answer[]>;
}

export interface Personas extends Gate {
  /** Writes the key file, once the server's address is known. */
  announce(url: string): void;
  /** Deletes the key file. */
  retire(): void;
}

const COOKIE = 'matthan-demo';
/** a question for a turn's end is answered after this long at the latest, and asked again */
const TURN_WAIT_MS = 20_000;

/** What each of them would try first. */
const SUGGESTIONS: Record<string, string[]> = {
  truong: ['ảnh tất cả', 'clip cam 2 một phút trước', 'nhật ký', 'người', 'trợ giúp'],
  canbo: ['ảnh cam 1', 'clip cam 2 một phút trước trong 20 giây', 'ảnh tất cả', 'camera', 'trợ giúp'],
  thon1: ['camera', 'ảnh cam 1', 'ghi nhận Nguyễn Văn An 500.000đ', 'quyền'],
  kythuat: ['camera', 'ảnh cam 1', 'quyền', 'trợ giúp'],
  ho: ['Có người lạ đi quanh xóm từ tối qua', 'quyền', 'trợ giúp'],
  nguoiungho: ['quyền', 'trợ giúp', 'Tôi muốn ủng hộ thêm một camera'],
  khach: ['trợ giúp', 'quyền', 'Cho tôi hỏi báo tin ở đâu'],
};

export function makePersonas(options: PersonasOptions): Personas {
  const { isLocal, cookie } = options;
  const key = makeToken();
  const csrf = makeToken();

  const holdsKey = (request: Request) =>
    isLocal(request) &&
    (sameSecret(cookie(request, COOKIE), key) || sameSecret(request.headers['x-demo-key'], key));

  async function everybody(): Promise<Persona[]> {
    const [people, groups] = await Promise.all([options.people(), options.groups()]);
    return people.map((person) => ({
      ...person,
      suggestions: SUGGESTIONS[person.userId] ?? ['trợ giúp', 'quyền'],
      chats: [
        { chatId: person.userId, kind: 'private', title: 'Mắt Thần' },
        ...groups
          .filter((group) => group.members.includes(person.userId))
          .map(({ chatId, title }) => ({ chatId, kind: 'group' as const, title })),
      ],
    }));
  }

  const enter: Gate['enter'] = async (request) => {
    if (!holdsKey(request)) return null;
    const people = await everybody();
    const as = request.query.as;
    const persona = people.find((each) => each.userId === as) ?? (as === undefined ? people[0] : undefined);
    if (persona === undefined) return null;
    const { userId, name, roleName, chats, suggestions } = persona;
    return {
      person: { userId, name, roleName },
      chats,
      csrf,
      suggestions,
      people,
      hears: () => true,
    };
  };

  const router = express.Router();
  router.get('/api/turn/:inboxId', async (request, response) => {
    const pass = await enter(request);
    if (pass === null)
      return void response.status(401).json({ error: 'Chỉ dùng được từ máy đang chạy bản dùng thử.' });
    const inboxId = Number(request.params.inboxId);
    if (!Number.isSafeInteger(inboxId)) return void response.status(400).json({ error: 'Không rõ tin nào.' });
    const left = new AbortController();
    response.on('close', () => left.abort());
    const late = setTimeout(() => left.abort(), TURN_WAIT_MS);
    const done = await Promise.race([
      options.turnDone(inboxId).then(() => true),
      new Promise<false>((resolve) => left.signal.addEventListener('abort', () => resolve(false))),
    ]);
    clearTimeout(late);
    if (response.closed) return;
    const chats = pass.chats.map((chat) => chat.chatId);
    response.json(done ? { done, answers: await options.answers(inboxId, chats) } : { done });
  });

  return {
    enter,
    router,
    greet(request, response) {
      if (!isLocal(request)) return false;
      response.cookie(COOKIE, key, { httpOnly: true, sameSite: 'strict', path: '/console' });
      return true;
    },
    async exists(chatId) {
      const [people, groups] = await Promise.all([options.people(), options.groups()]);
      return (
        people.some((person) => person.userId === chatId) || groups.some((group) => group.chatId === chatId)
      );
    },
    announce(url) {
      fs.mkdirSync(path.dirname(options.keyFile), { recursive: true });
      fs.rmSync(options.keyFile, { force: true });
      fs.writeFileSync(options.keyFile, `${JSON.stringify({ url, key })}\n`, { mode: 0o600 });
    },
    retire() {
      fs.rmSync(options.keyFile, { force: true });
    },
  };
}
