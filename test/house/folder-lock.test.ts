import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { takeFolder } from '../../src/base/folder-lock.js';

const holderProgram = (folder: string) => `
  const { takeFolder } = await import(${JSON.stringify(new URL('../../dist/src/base/folder-lock.js', import.meta.url).href)});
  console.log(await takeFolder(${JSON.stringify(folder)}));
  setInterval(() => {}, 1000);
`;

test('a data folder is taken by one process, and is free again after that process was killed', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-lock-'));
  const holder = spawn(process.execPath, ['--input-type=module', '-e', holderProgram(folder)]);
  try {
    const [said] = (await once(holder.stdout, 'data')) as [Buffer];
    expect(said.toString().trim()).toBe('null');
    expect(await takeFolder(folder)).toBe(holder.pid);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(await takeFolder(folder)).toBeNull();
  } finally {
    holder.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('of many that come at the same moment, after one was killed, one gets the folder', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-lock-'));
  const begin = () => spawn(process.execPath, ['--input-type=module', '-e', holderProgram(folder)]);
  const all = [begin()];
  try {
    await once(all[0]!.stdout, 'data');
    for (let round = 0; round < 4; round += 1) {
      for (const one of all.splice(0)) one.kill('SIGKILL');
      all.push(...Array.from({ length: 6 }, begin));
      const said = await Promise.all(
        all.map(async (one) => String((await once(one.stdout, 'data'))[0]).trim()),
      );
      expect(said.filter((word) => word === 'null')).toHaveLength(1);
    }
  } finally {
    for (const one of all) one.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
