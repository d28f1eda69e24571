import fs from 'node:fs/promises';
import path from 'node:path';

/** How the disk of the recordings is treated: `ssd` file by file and often, `hdd` all at once and more rarely. */
export type DiskKind = 'ssd' | 'hdd';

/** Whether one disk spins, as Linux says; null where it can't be told. */
async function deviceSpins(device: string): Promise<boolean | null> {
  // LVM, an encrypted or a joined disk: what lies below it counts
  const below = await fs.readdir(path.join(device, 'slaves')).catch(() => []);
  const all = below.map(async (name) => deviceSpins(await fs.realpath(path.join(device, 'slaves', name))));
  const told = await Promise.all(all);
  if (told.length > 0) return told.includes(true) ? true : told.includes(null) ? null : false;
  // a virtual machine's disk says that it spins, whatever is below it
  if (/virtio|\/virtual\/|xen|vmbus/.test(device)) return null;
  for (const at of [device, path.dirname(device)]) {
    const rotational = await fs.readFile(path.join(at, 'queue', 'rotational'), 'utf8').catch(() => null);
    if (rotational !== null) return rotational.trim() === '1';
  }
  return null;
}

/**
 * Whether a folder's disk spins, as Linux says; null where it can't be told.
 * @param sys where the kernel tells of its devices
 */
export async function spins(folder: string, sys = '/sys'): Promise<boolean | null> {
  try {
    const { dev } = await fs.stat(folder);
    const major = Math.floor(dev / 256) & 0xfff;
    const minor = (dev & 0xff) | (Math.floor(dev / 0x100000) << 8);
    return await deviceSpins(await fs.realpath(path.join(sys, 'dev/block', `${major}:${minor}`)));
  } catch {
    // not Linux, or not a disk of its own
    return null;
  }
}

/** What the setting means for a folder. Where it can't be told: the promise for an SSD, which is the stricter one. */
export async function diskKind(setting: DiskKind | 'auto', folder: string): Promise<DiskKind> {
  if (setting !== 'auto') return setting;
  return (await spins(folder)) === true ? 'hdd' : 'ssd';
}
