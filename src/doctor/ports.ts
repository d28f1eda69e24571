import fs from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../base/config.js';
import { waitForPort } from '../base/ports.js';
import { broken, type Finding, fine } from './finding.js';
import type { ServicesLook } from './services.js';

export interface Program {
  pid: number;
  name: string;
}

/** Who listens on a TCP port of this machine, as far as this account may know; Linux only. */
export async function listenerOf(port: number): Promise<Program | null> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const sockets = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await fs.readFile(table, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const field = line.trim().split(/\s+/);
      // 0A: it listens
      if (field[1]?.endsWith(`:${hex}`) && field[3] === '0A') sockets.add(`socket:[${field[9]}]`);
    }
  }
  if (sockets.size === 0) return null;
  const processes = (await fs.readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of processes) {
    const folder = path.join('/proc', pid, 'fd');
    for (const handle of await fs.readdir(folder).catch(() => [])) {
      const target = await fs.readlink(path.join(folder, handle)).catch(() => '');
      if (!sockets.has(target)) continue;
      const name = await fs.readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '?');
      return { pid: Number(pid), name: name.trim() };
    }
  }
  return null;
}

/**
 * Are both ports free, or ours?
 * @param patienceMs one that is taken is waited for so long
 * @param busy told once that a port is waited for
 */
export async function checkPorts(
  config: Pick<Config, 'host' | 'port' | 'recorderPort'>,
  services: Pick<ServicesLook, 'bot' | 'recorder'>,
  patienceMs = 0,
  busy: (port: number) => void = () => {},
): Promise<Finding[]> {
  const { host, port, recorderPort } = config;
  if (port !== 0 && port === recorderPort)
    return [
      broken(
        'ports',
        `PORT và RECORDER_PORT cùng là ${port}.`,
        'Hãy đặt hai cổng khác nhau trong .env, ví dụ RECORDER_PORT=8601.',
      ),
    ];
  const look = (name: string, what: string, where: string, number: number, ours: boolean) =>
    checkPort({ name, what, host: where, port: number, ours, patienceMs, busy });
  return Promise.all([
    look('PORT', 'trang web', host, port, services.bot !== null),
    look('RECORDER_PORT', 'máy ghi', '127.0.0.1', recorderPort, services.recorder === 'ours'),
  ]);
}

interface PortOptions {
  /** of the setting */
  name: string;
  /** Vietnamese: what it serves */
  what: string;
  host: string;
  port: number;
  ours: boolean;
  patienceMs: number;
  busy: (port: number) => void;
}

async function checkPort({ name, what, host, port, ours, ...wait }: PortOptions): Promise<Finding> {
  const check = `port-${name === 'PORT' ? 'web' : 'recorder'}`;
  const called = `Cổng ${port} (${what})`;
  if (ours) return fine(check, `${called}: Mắt Thần đang dùng.`, { port, state: 'ours' });
  const state = await waitForPort(host, port, wait.patienceMs, () => wait.busy(port)).catch(
    () => 'no-such-address' as const,
  );
  const facts = { port, state };
  switch (state) {
    case 'free':
      return fine(check, `${called}: đang trống.`, facts);
    case 'forbidden':
      return broken(
        check,
        `${called}: tài khoản này không được phép mở.`,
        `Hãy đặt ${name} từ 1024 trở lên trong .env.`,
        facts,
      );
    case 'no-such-address':
      return broken(
        check,
        `Máy này không có địa chỉ ${host} để mở cổng ${port}.`,
        'Hãy sửa HOST trong .env, thường là 127.0.0.1.',
        facts,
      );
    case 'taken': {
      const holder = await listenerOf(port);
      const who =
        holder === null ? 'một chương trình khác' : `chương trình ${holder.name} (tiến trình ${holder.pid})`;
      return broken(
        check,
        `${called}: ${who} đang dùng.`,
        `Hãy dừng chương trình đó, hoặc đặt ${name} khác trong .env, ví dụ ${name}=${port + 10}.`,
        { ...facts, holder },
      );
    }
  }
}
