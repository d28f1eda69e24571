import { randomInt } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Router } from 'express';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { Role } from '../base/roles.js';
import { makeToken } from '../base/seal.js';
import type { Shown } from '../chat/message.js';
import type { LinkAbout, LinkedFile, MakeLink, Only } from '../chat/outgoing.js';
import type { Database } from '../store/database.js';
import { endedLinks, openLinks } from '../store/links.js';
import { personOfChat, purposeOf } from '../store/speakers.js';
import type { Tokens } from '../store/tokens.js';
import type { LinkBase } from './link-base.js';
import { linkRoutes } from './link-routes.js';
import type { Look } from './poster.js';
import { mimeOf } from './shown.js';

/** A file behind a link, as its row keeps it. */
export interface StoredFile {
  /** its name in the links' folder */
  stored: string;
  fileName: string;
  mime: string;
  caption?: string;
  shows?: Shown;
  codec?: string;
  /** the name of its poster in the links' folder */
  poster?: string;
}

/** All that is known of a link beside its token: nothing of it stands in the address. */
export interface LinkPayload {
  files: StoredFile[];
  about: Partial<LinkAbout> & { only: Only; oneDevice: boolean };
}

export interface LinksOptions {
  tokens: Tokens;
  database: Database;
  clock: Clock;
  log: Log;
  /** folder of the files behind links */
  folder: string;
  /** where links begin, as soon as it is known; null: no links */
  base(): LinkBase | null;
  /** how the unit is called */
  unit: string;
  ttlMs: number;
  /** a link for one person opens on one device only: the first */
  oneDevice: boolean;
  /** digits of the PIN of a link for one person, 0 = none */
  pinDigits: number;
  /** Looks at a clip of our own cameras; left out where there is no ffmpeg. */
  lookAt?(clip: string, poster: string): Promise<Look>;
  /** requests to links from one address in a minute (300) */
  perMinute?: number;
  /** how often an answer under way asks whether its link still opens, ms (5000) */
  recheckMs?: number;
}

/** Pages behind expiring addresses, for what can't be shown in a chat. */
export interface Links {
  router: Router;
  /** `<base>/m/<token>` for whoever holds it, within what the settings and the rights allow. */
  make: MakeLink;
  /** Deletes files whose link is over, and files that no link knows. */
  sweep(): Promise<void>;
}

/** A file is put in place before its row: for that long a file without a link is nobody's mistake. */
const NEW_FILE_MS = 10 * 60_000;
/** Who comes to the office, and gets there what the office's net shows. */
const STAFF: readonly Role[] = ['chief', 'officer', 'technician'];
export const LAN_NOTE = '(Mở khi điện thoại ở cùng mạng với trụ sở.)';

const makePin = (digits: number) => String(randomInt(10 ** digits)).padStart(digits, '0');

export function makeLinks(options: LinksOptions): Links {
  const { tokens, database, clock, folder } = options;

  async function keep({ path: original, fileName, shows, caption }: LinkedFile): Promise<StoredFile> {
    const stored = `${makeToken()}${/\.[A-Za-z0-9]{1,5}$/.exec(fileName)?.[0].toLowerCase() ?? ''}`;
    const place = path.join(folder, stored);
    await fs.link(original, place).catch(() => fs.copyFile(original, place));
    const now = new Date();
    await fs.utimes(place, now, now);
    const mime = mimeOf(fileName);
    const file: StoredFile = {
      ...{ stored, fileName, mime },
      ...(caption === undefined ? {} : { caption }),
      ...(shows === undefined ? {} : { shows }),
    };
    if (shows === undefined || !mime.startsWith('video/') || options.lookAt === undefined) return file;
    const poster = `${makeToken()}.jpg`;
    const look = await options.lookAt(place, path.join(folder, poster));
    return {
      ...file,
      ...(look.codec === null ? {} : { codec: look.codec }),
      ...(look.poster ? { poster } : {}),
    };
  }

  return {
    router: linkRoutes(options),
    async make(files, about) {
      const base = options.base();
      const { to, only } = about;
      const purpose = await purposeOf(database, to.channel, to.chatId);
      const inGroup = purpose !== undefined;
      const staff = only.asker !== undefined ? STAFF.includes(only.asker.role) : purpose === 'officers';
      if (base === null || (base.lan && !staff)) return null;
      await fs.mkdir(folder, { recursive: true });
      const stored: StoredFile[] = [];
      for (const file of files) stored.push(await keep(file));
      const personId =
        only.asker?.personId ?? (inGroup ? null : await personOfChat(database, to.channel, to.chatId));
      const pin = options.pinDigits > 0 && !inGroup ? makePin(options.pinDigits) : undefined;
      const payload: LinkPayload = {
        files: stored,
        about: { ...about, oneDevice: options.oneDevice && !inGroup },
      };
      const token = await tokens.issue({
        kind: 'file',
        personId,
        payload,
        ttlMs: options.ttlMs,
        ...(pin === undefined ? {} : { pin }),
      });
      return {
        url: `${base.url}/m/${token}`,
        ...(base.lan ? { note: LAN_NOTE } : {}),
        ...(pin === undefined ? {} : { pin }),
      };
    },
    async sweep() {
      const namesOf = (links: { payload: unknown }[]) =>
        new Set(
          links.flatMap(({ payload }) =>
            (payload as LinkPayload).files.flatMap((file) => [file.stored, file.poster ?? file.stored]),
          ),
        );
      const known = namesOf(await openLinks(database, clock.now()));
      const over = namesOf(await endedLinks(database, clock.now()));
      for (const name of await fs.readdir(folder).catch(() => [])) {
        if (known.has(name)) continue;
        const file = path.join(folder, name);
        const facts = over.has(name) ? null : await fs.stat(file).catch(() => null);
        if (facts === null || facts.mtimeMs < Date.now() - NEW_FILE_MS) await fs.rm(file, { force: true });
      }
    },
  };
}
