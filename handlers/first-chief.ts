import fs from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../src/base/clock.js';
import { hashToken } from '../src/base/seal.js';
import type { Talk } from '../src/chat/command.js';
import { writeAudit } from '../src/store/audit.js';
import type { Database } from '../src/store/database.js';
import { countChiefs, setRole } from '../src/store/people.js';
import { dropSetting, readFact, writeFact } from '../src/store/settings.js';
import { makeChiefCode } from './codes.js';
import { calling, placeOf } from './saying.js';

const KEY = 'first-chief';
const LIFE_MS = 24 * 3_600_000;
const ATTEMPTS = 5;

interface ChiefCode {
  hash: string;
  expiresMs: number;
  attemptsLeft: number;
}

/**
 * Where there is no chief yet: makes a fresh one-time code (an earlier one ends), keeps its hash, writes it to a 0600
 * file in `dataDir` and gives it back for the terminal. Never log it. Null when there is a chief.
 */
export async function ensureFirstChiefCode(house: {
  db: Database;
  clock: Clock;
  settings: { dataDir: string };
}): Promise<{ code: string; file: string; expiresMs: number } | null> {
  const file = path.join(house.settings.dataDir, 'first-chief-code.txt');
  if ((await countChiefs(house.db)) > 0) {
    await dropSetting(house.db, KEY);
    await fs.rm(file, { force: true });
    return null;
  }
  const code = makeChiefCode();
  const expiresMs = house.clock.now() + LIFE_MS;
  await writeFact(house.db, KEY, {
    hash: hashToken(code),
    expiresMs,
    attemptsLeft: ATTEMPTS,
  } satisfies ChiefCode);
  await fs.rm(file, { force: true });
  await fs.writeFile(file, `${code}\n`, { mode: 0o600, flag: 'wx' });
  return { code, file, expiresMs };
}

type Outcome = 'chief' | 'wrong' | 'over' | 'taken' | 'none';

/** Takes a code that somebody sent in private; the right one makes them chief, once. */
export async function redeemChiefCode(
  house: { db: Database; settings: { dataDir: string; communeName: string } },
  talk: Talk,
  code: string,
): Promise<void> {
  const outcome = await talk.once('first-chief', async (tx): Promise<Outcome> => {
    const known = await readFact<ChiefCode>(tx, KEY);
    if ((await countChiefs(tx)) > 0) return 'taken';
    if (known === null) return 'none';
    if (known.expiresMs <= talk.nowMs || known.attemptsLeft <= 0) return 'over';
    const right = known.hash === hashToken(code);
    if (right) {
      await setRole(tx, talk.speaker.personId, 'chief');
      await dropSetting(tx, KEY);
    } else await writeFact(tx, KEY, { ...known, attemptsLeft: known.attemptsLeft - 1 } satisfies ChiefCode);
    await writeAudit(tx, [
      {
        atMs: talk.nowMs,
        personId: talk.speaker.personId,
        personName: talk.speaker.name,
        action: 'first-chief',
        place: placeOf(talk),
        result: right ? 'ok' : 'wrong-code',
      },
    ]);
    return right ? 'chief' : 'wrong';
  });
  if (outcome === 'chief') {
    await fs.rm(path.join(house.settings.dataDir, 'first-chief-code.txt'), { force: true });
    await talk.reply({
      kind: 'text',
      text: `Chào ${calling(talk.speaker.name)}. Từ giờ anh/chị là trưởng ở ${house.settings.communeName}.\n\nNên làm tiếp:\n1. Thêm thôn: thôn thêm Thôn 1\n2. Thêm camera: camera thêm\n3. Thêm bot vào nhóm cán bộ rồi gõ trong nhóm: /nhom cán bộ\n4. Mời mọi người: mời`,
      buttons: [
        [
          { label: 'Thêm camera', says: 'camera thêm' },
          { label: 'Mời người', says: 'mời' },
        ],
      ],
    });
  } else
    await talk.reply(
      outcome === 'taken'
        ? 'Mã này không còn dùng được. Anh/chị nhờ trưởng công an mời vào nhé.'
        : outcome === 'wrong'
          ? 'Mã này chưa đúng. Anh/chị xem lại mã ở màn hình máy chủ nhé; mã chỉ được thử vài lần.'
          : 'Mã này không còn dùng được. Anh/chị khởi động lại Mắt Thần trên máy chủ để có mã mới.',
    );
}
