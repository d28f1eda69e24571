import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

/** A database that can't be opened or brought up to date; the message is a Vietnamese sentence that says what to do. */
export class DatabaseFault extends Error {
  override name = 'DatabaseFault';
  /** the file itself is broken, and nothing but a copy or a new one helps */
  broken = false;
}

/** What is lost with each file, and how it comes back. */
const WITHOUT: Record<'bot' | 'recorder', string> = {
  bot: 'Nếu không có bản sao lưu: người, nhóm, tin báo và nhật ký phải làm lại từ đầu; hình đã ghi vẫn còn.',
  recorder:
    'Nếu không có bản sao lưu: mục lục hình và danh sách camera được lập lại từ thư mục ghi hình; chỉ mất lý do của các đoạn thiếu trước đây.',
};

/** Why a database could not be made ready, from the words of SQLite or Prisma. Pure. */
export function databaseFault(name: 'bot' | 'recorder', file: string, said: string): DatabaseFault {
  const base = path.basename(file);
  if (/notadb|not a database|corrupt|malformed/i.test(said))
    return Object.assign(
      new DatabaseFault(
        `Tệp dữ liệu ${file} bị hỏng. Hãy chép lại tệp này từ bản sao lưu; hoặc đổi tên nó thành ${base}.hong (cùng ${base}-wal, ${base}-shm nếu có, đừng xóa) rồi chạy lại. ${WITHOUT[name]}`,
      ),
      { broken: true },
    );
  if (/database or disk is full|sqlite_full|enospc|no space left/i.test(said))
    return new DatabaseFault(`Ổ đĩa chứa ${file} đã đầy. Hãy xóa bớt tệp trên ổ đó rồi chạy lại.`);
  if (/readonly|read-only|cantopen|unable to open|eacces|eperm|permission denied/i.test(said))
    return new DatabaseFault(
      `Không mở được tệp dữ liệu ${file}. Hãy xem tài khoản đang chạy Mắt Thần có quyền đọc và ghi tệp này và thư mục của nó không.`,
    );
  if (/database is locked|sqlite_busy|table is locked/i.test(said))
    return new DatabaseFault(
      `Tệp dữ liệu ${file} đang bị chương trình khác giữ. Hãy đóng chương trình đó (phần mềm xem SQLite, sao lưu, đồng bộ…) rồi chạy lại.`,
    );
  return new DatabaseFault(
    `Không chuẩn bị được tệp dữ liệu ${file}. Chi tiết nằm trong parent.log ở thư mục logs.`,
  );
}

/** Has the database seen every migration? Asking Prisma costs seconds in which nothing is recorded. */
async function isUpToDate(root: string, name: string, file: string): Promise<boolean> {
  if (!existsSync(file)) return false;
  const entries = await fs.readdir(path.join(root, 'prisma', name, 'migrations'), { withFileTypes: true });
  const { createClient } = await import('@libsql/client/sqlite3');
  const client = createClient({ url: `file:${file}` });
  try {
    const { rows } = await client.execute(
      'SELECT migration_name, finished_at IS NOT NULL AND rolled_back_at IS NULL FROM _prisma_migrations',
    );
    const seen = new Set(rows.filter((row) => row[1] === 1).map((row) => row[0]));
    return (
      rows.every((row) => row[1] === 1) &&
      entries.every((entry) => !entry.isDirectory() || seen.has(entry.name))
    );
  } finally {
    client.close();
  }
}

/**
 * Brings a database up to the newest migration; the file is made when it is missing.
 * @param root folder of the project
 * @throws DatabaseFault with the tool's own words as its cause
 */
export async function migrate(root: string, name: 'bot' | 'recorder', file: string): Promise<void> {
  // what can't be asked is Prisma's to explain
  if (await isUpToDate(root, name, file).catch(() => false)) return;
  try {
    await promisify(execFile)(
      process.execPath,
      [
        path.join(root, 'node_modules', 'prisma', 'build', 'index.js'),
        'migrate',
        'deploy',
        '--config',
        path.join(root, 'prisma', name, 'prisma.config.ts'),
      ],
      {
        cwd: root,
        env: {
          ...process.env,
          DATABASE_FILE: file,
          CHECKPOINT_DISABLE: '1',
          PRISMA_HIDE_UPDATE_MESSAGE: '1',
        },
      },
    );
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string };
    const fault = databaseFault(name, file, `${message}\n${stdout}\n${stderr}`);
    fault.cause = error;
    throw fault;
  }
}

/**
 * Like `migrate` for the recorder's index. A broken one is put aside and made anew, since everything in it that matters
 * lies beside the recordings too: recording must not wait for a person.
 * @returns where the broken file went; null: it was not broken
 * @throws DatabaseFault
 */
export async function migrateIndex(root: string, file: string): Promise<string | null> {
  try {
    await migrate(root, 'recorder', file);
    return null;
  } catch (error) {
    if (!(error instanceof DatabaseFault) || !error.broken) throw error;
  }
  const aside = await putAside(file);
  await migrate(root, 'recorder', file);
  return aside;
}

/** Moves a database out of the way, with what SQLite keeps beside it; gives back where it is now. */
export async function putAside(file: string): Promise<string> {
  const aside = `${file}.hong-${new Date().toISOString().replace(/[-:]|\.\d+Z$/g, '')}`;
  for (const end of ['', '-wal', '-shm'])
    await fs.rename(`${file}${end}`, `${aside}${end}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  return aside;
}
