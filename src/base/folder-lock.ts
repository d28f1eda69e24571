import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/**
 * Takes a data folder for this process until it ends, so that two installations never write the same recordings.
 * A lock whose process is gone is taken over.
 * @returns null when taken, else the process that holds it
 */
export function takeFolder(folder: string): number | null {
  const file = path.join(folder, 'running.pid');
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
      process.on('exit', () => fs.rmSync(file, { force: true }));
      return null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(fs.readFileSync(file, 'utf8'));
    if (Number.isInteger(holder) && holder > 0 && holder !== process.pid && isAlive(holder)) return holder;
    fs.rmSync(file, { force: true });
  }
  throw new Error(`cannot take ${file}`);
}
