import { fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { withoutKeys } from '../base/ffmpeg.js';
import { projectRoot } from '../base/project.js';
import { databaseFault } from '../migrate.js';
import { broken, careful, type Finding, fine, saySize } from './finding.js';
import type { CameraFact, Piece } from './look-at-database.js';

type DatabaseName = 'bot' | 'recorder';
type PieceOf<K extends Piece['is']> = Extract<Piece, { is: K }>;

/** What a database holds, as far as it could be read in time. */
export interface DatabaseLook {
  name: DatabaseName;
  file: string;
  exists: boolean;
  sizeBytes: number;
  migrations: { name: string; finished: boolean }[] | null;
  cameras: CameraFact[] | null;
  sealed: string[] | null;
  newestMs: number | null;
  zaloHeardMs: number | null;
  sizes: Omit<PieceOf<'sizes'>, 'is'> | null;
  /** SQLite's words; null when there was no time to look through it */
  integrity: string | null;
  fault: string | null;
}

/** A look under way: what is known soon, and everything. */
export interface Looking {
  /** cameras, keys, migrations; resolves at the latest with the end */
  soon: Promise<DatabaseLook>;
  done: Promise<DatabaseLook>;
}

/** Begins to look into a database in a process of its own, ended after `limitMs`. Never throws. */
export function lookAtDatabase(name: DatabaseName, file: string, limitMs: number): Looking {
  const look: DatabaseLook = {
    ...{ name, file, exists: fs.existsSync(file), sizeBytes: 0, migrations: null, cameras: null },
    ...{ sealed: null, newestMs: null, zaloHeardMs: null, sizes: null, integrity: null, fault: null },
  };
  if (!look.exists) return { soon: Promise.resolve(look), done: Promise.resolve(look) };
  const stat = fs.statSync(file);
  look.sizeBytes = stat.size;
  let early: (look: DatabaseLook) => void = () => {};
  const soon = new Promise<DatabaseLook>((resolve) => {
    early = resolve;
  });
  const done = new Promise<DatabaseLook>((resolve) => {
    const script = path.join(projectRoot(), 'dist', 'src', 'doctor', 'look-at-database.js');
    const child = fork(script, [file, name], {
      env: withoutKeys(process.env),
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // SQLite makes files beside a database: as root they would lock out the account that runs Mắt Thần
      ...(process.getuid?.() === 0 && { uid: stat.uid, gid: stat.gid }),
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    child.on('message', (piece: Piece) => {
      take(look, piece);
      if (piece.is === 'facts') early(look);
    });
    const end = (said: string | null) => {
      clearTimeout(timer);
      if (look.migrations === null) look.fault ??= said ?? 'no answer';
      early(look);
      resolve(look);
    };
    child.on('error', (error) => end(error.message));
    child.on('close', () => end(null));
  });
  return { soon, done };
}

function take(look: DatabaseLook, piece: Piece): void {
  if (piece.is === 'facts') {
    const { is: _, ...facts } = piece;
    Object.assign(look, facts);
  } else if (piece.is === 'sizes') look.sizes = { recordedBytes: piece.recordedBytes, lately: piece.lately };
  else if (piece.is === 'integrity') look.integrity = piece.said;
  else look.fault = piece.said;
}

const WHAT: Record<DatabaseName, string> = {
  bot: 'dữ liệu người và tin nhắn',
  recorder: 'mục lục hình và camera',
};

/** A sentence and the rest of a text. */
const cut = (text: string): [string, string] => {
  const end = text.indexOf('. ');
  return end < 0 ? [text, ''] : [text.slice(0, end + 1), text.slice(end + 2)];
};

/** The migrations that the software brings. */
export const broughtMigrations = (name: DatabaseName): string[] =>
  fs
    .readdirSync(path.join(projectRoot(), 'prisma', name, 'migrations'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

/** What a look means. Pure. @param brought names of the migrations of this software */
export function judgeDatabase(look: DatabaseLook, brought: string[], others: boolean): Finding {
  const { name, file } = look;
  const check = `database-${name}`;
  const base = path.basename(file);
  if (!look.exists)
    return others
      ? careful(
          check,
          `Thiếu tệp ${base} (${WHAT[name]}) trong khi tệp kia vẫn còn.`,
          `Nếu có bản sao lưu, hãy chép ${base} vào ${path.dirname(file)} trước khi chạy npm start; không có thì tệp mới sẽ được tạo và phần này làm lại từ đầu.`,
        )
      : fine(check, `Tệp ${base} (${WHAT[name]}): chưa có, sẽ được tạo ở lần chạy đầu.`);
  const broke = look.fault ?? (look.integrity !== null && look.integrity !== 'ok' ? 'malformed' : null);
  if (broke !== null) {
    const [says, todo] = cut(databaseFault(name, file, broke).message);
    if (look.fault === 'no answer')
      return careful(
        check,
        `Chưa mở được ${base} trong thời gian cho phép.`,
        'Hãy chạy lại npm run doctor; nếu vẫn vậy, ổ đĩa có thể quá chậm hoặc đang bận.',
      );
    return broken(check, says, todo);
  }
  const have = look.migrations ?? [];
  const failed = have.filter((one) => !one.finished).map((one) => one.name);
  const names = new Set(have.map((one) => one.name));
  const pending = brought.filter((one) => !names.has(one));
  const newer = have.map((one) => one.name).filter((one) => !brought.includes(one));
  const facts = { pending, failed, newer, integrity: look.integrity };
  if (failed.length > 0)
    return broken(
      check,
      `Lần cập nhật trước của ${base} bị dở dang.`,
      'Hãy chép lại tệp này từ bản sao lưu, hoặc nhờ kỹ thuật viên xem nhật ký parent.log.',
      facts,
    );
  if (newer.length > 0)
    return broken(
      check,
      `${base} thuộc về một bản Mắt Thần mới hơn bản đang cài.`,
      'Hãy cài lại bản mới của phần mềm; đừng chạy bản cũ trên dữ liệu mới.',
      facts,
    );
  if (pending.length > 0)
    return careful(
      check,
      `${base} còn ${pending.length} bước cập nhật chưa làm.`,
      'Hãy khởi động lại Mắt Thần (npm start): việc cập nhật tự làm, không mất dữ liệu.',
      facts,
    );
  if (look.integrity === null)
    return careful(
      check,
      `${base} mở được, nhưng lớn (${saySize(look.sizeBytes)}) nên chưa soát hết trong thời gian cho phép.`,
      'Không cần làm gì ngay; nếu nghi hỏng, hãy dừng Mắt Thần rồi chạy lại npm run doctor.',
      facts,
    );
  return fine(
    check,
    `Tệp ${base} (${WHAT[name]}): nguyên vẹn, đúng phiên bản, ${saySize(look.sizeBytes)}.`,
    facts,
  );
}
