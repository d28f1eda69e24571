import fs from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { verifyRecordings } from '../../media/integrity/verify.js';
import { type DiskCalls, diskCalls, RecordingDisk } from '../../media/recording/disk.js';
import { diskKind, spins } from '../../media/recording/disk-kind.js';
import { SyncClock, type Synced } from '../../media/recording/sync-clock.js';
import { SyncThread } from '../../media/recording/sync-thread.js';
import { cameraIs, quiet, startStand, tempFolder, until } from './stand.js';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function place(): Promise<string> {
  const folder = await tempFolder();
  cleanups.push(() => fs.rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The real disk, with every sync noted. */
function noted(root: string, changes: Partial<DiskCalls> = {}) {
  const calls: string[] = [];
  const real = { ...diskCalls(root), ...changes };
  const disk: DiskCalls = {
    ...real,
    async syncFile(handle) {
      await real.syncFile(handle);
      calls.push('file');
    },
    async syncFolder(folder) {
      await real.syncFolder(folder);
      calls.push(`folder ${path.relative(root, folder)}`);
    },
    async syncFiles(fds) {
      const faults = await real.syncFiles(fds);
      calls.push(`files ${fds.length}`);
      return faults;
    },
    async syncDisk() {
      const whole = await real.syncDisk();
      calls.push(whole ? 'disk' : 'no disk');
      return whole;
    },
  };
  return { disk, calls };
}

describe('what kind of disk it is', () => {
  /** A /sys that knows only the device of this folder. */
  async function sysOf(folder: string, device: string): Promise<{ sys: string; at: string }> {
    const sys = await fs.realpath(await place());
    const { dev } = await fs.stat(folder);
    const major = Math.floor(dev / 256) & 0xfff;
    const minor = (dev & 0xff) | (Math.floor(dev / 0x100000) << 8);
    const at = path.join(sys, 'devices', device);
    await fs.mkdir(path.join(sys, 'dev/block'), { recursive: true });
    await fs.mkdir(at, { recursive: true });
    await fs.symlink(at, path.join(sys, 'dev/block', `${major}:${minor}`));
    return { sys, at };
  }
  const rotational = async (at: string, text: string) => {
    await fs.mkdir(path.join(at, 'queue'), { recursive: true });
    await fs.writeFile(path.join(at, 'queue/rotational'), text);
  };

  it('is told by the disk of a partition, by what lies below LVM, and not by a virtual machine', async () => {
    const folder = await place();
    const partition = await sysOf(folder, 'pci0/ata1/block/sda/sda1');
    await rotational(path.dirname(partition.at), '1\n');
    expect(await spins(folder, partition.sys)).toBe(true);
    await rotational(path.dirname(partition.at), '0\n');
    expect(await spins(folder, partition.sys)).toBe(false);
    const machine = await sysOf(folder, 'pci0/virtio1/block/vda');
    await rotational(machine.at, '1\n');
    expect(await spins(folder, machine.sys)).toBeNull();
    const lvm = await sysOf(folder, 'virtual/block/dm-0');
    await rotational(lvm.at, '0\n');
    const below = path.join(lvm.sys, 'devices/pci0/ata1/block/sdb');
    await rotational(below, '1\n');
    await fs.mkdir(path.join(lvm.at, 'slaves'));
    await fs.symlink(below, path.join(lvm.at, 'slaves/sdb'));
    expect(await spins(folder, lvm.sys)).toBe(true);
    expect(await spins(folder, path.join(lvm.sys, 'nowhere'))).toBeNull();
  });

  it('is what the setting says, else what the system says', async () => {
    const folder = await place();
    expect(await diskKind('hdd', folder)).toBe('hdd');
    expect(await diskKind('ssd', folder)).toBe('ssd');
    expect(await diskKind('auto', folder)).toBe((await spins(folder)) === true ? 'hdd' : 'ssd');
    expect(await diskKind('auto', path.join(folder, 'not there'))).toBe('ssd');
  });
});

describe('the clock of the syncs', () => {
  /** Syncs that last until they are let go. */
  function held(everyMs: number) {
    const begun: { fds: number[]; end: (synced: Synced) => void }[] = [];
    const clock = new SyncClock(everyMs, (fds) => new Promise((end) => begun.push({ fds, end })));
    return { clock, begun };
  }
  const file = (fd: number, failed: unknown[] = [], durable: number[] = []) => ({
    ...{ fd, writtenBytes: 10 },
    synced: (bytes: number) => durable.push(bytes),
    syncFailed: (error: unknown) => failed.push(error),
  });

  it('gives a waiter only a sync that began after it asked, and tells how old the oldest data is', async () => {
    const { clock, begun } = held(10_000);
    expect(clock.ageMs).toBe(0);
    clock.add(file(3));
    const answers: string[] = [];
    void clock.whole().then((whole) => answers.push(`first ${whole}`));
    await until('the first sync', () => begun.length === 1);
    expect(begun[0]!.fds).toEqual([3]);
    void clock.whole().then((whole) => answers.push(`second ${whole}`));
    expect(clock.ageMs).toBeGreaterThan(200);
    begun[0]!.end({ whole: true, faults: [] });
    await until('the second sync', () => begun.length === 2);
    expect(answers).toEqual(['first true']);
    expect(begun[1]!.fds).toEqual([]);
    begun[1]!.end({ whole: false, faults: [] });
    await until('the second answer', () => answers.length === 2);
    expect(answers[1]).toBe('second false');
    expect(clock.ageMs).toBe(0);
  });

  it('tells each file of its own fault or what is durable of it, and lets none be closed while it is synced', async () => {
    const { clock, begun } = held(10);
    const [bad, good]: [unknown[], unknown[]] = [[], []];
    const durable: number[] = [];
    const [one, other] = [file(3, bad, durable), file(4, good, durable)];
    clock.add(one);
    clock.add(other);
    await until('a sync', () => begun.length === 1);
    other.writtenBytes = 20;
    let forgotten = false;
    const forgetting = clock.forget(one).then(() => {
      forgotten = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(forgotten).toBe(false);
    begun[0]!.end({ whole: false, faults: [{ fd: 3, error: new Error('EIO') }] });
    await forgetting;
    expect([bad.length, good.length]).toEqual([1, 0]);
    expect(durable, 'what was there when the sync began, of the good one').toEqual([10]);
  });
});

describe('the thread that syncs', () => {
  it('tells which descriptor failed, and whether a disk was synced as a whole', async () => {
    const folder = await place();
    const handle = await fs.open(path.join(folder, 'file'), 'w');
    cleanups.push(() => handle.close());
    const thread = new SyncThread();
    const closed = 1_000_000;
    const [faults, none] = await Promise.all([
      thread.files([handle.fd, closed]),
      thread.disk(path.join(folder, 'not there')),
    ]);
    expect(faults.map(({ fd }) => fd)).toEqual([closed]);
    expect(none).toBe(false);
    if (process.platform === 'linux') expect(await thread.disk(folder)).toBe(true);
  });
});

describe('a spinning disk', () => {
  it.runIf(process.platform === 'linux')(
    'is synced as a whole, never file by file, and every recording is in its chain and in the index',
    async () => {
      let calls: string[] = [];
      const stand = await startStand(
        {
          segmentMs: 2000,
          diskCalls: (root) => {
            const made = noted(root);
            calls = made.calls;
            return made.disk;
          },
        },
        { diskKind: 'hdd' },
      );
      cleanups.push(() => stand.end());
      for (const id of ['cam1', 'cam2']) await stand.client.addCamera({ id, name: id, url: 'test:street' });
      await cameraIs(stand.client, 'cam2', 'recording');
      expect((await stand.client.health()).disk).toMatchObject({ kind: 'hdd', powerCutMs: 5000 });
      await until('some files are closed', async () => {
        const { recorded } = await stand.client.coverage('cam1', { startMs: 0, endMs: Date.now() });
        return recorded[0] && recorded[0].endMs - recorded[0].startMs > 7000;
      });
      await stand.service.recorder.stop();
      expect(new Set(calls)).toEqual(new Set(['disk']));
      const problems: unknown[] = [];
      const root = stand.config.recordingsDir;
      const onProblem = (problem: unknown) => problems.push(problem);
      const report = await verifyRecordings({
        root,
        content: true,
        workers: 1,
        nowMs: Date.now(),
        onProblem,
      });
      expect(problems).toEqual([]);
      expect(report.segments).toBeGreaterThanOrEqual(4);
    },
    60_000,
  );

  it('that can not be synced as a whole is synced file by file, names too', async () => {
    const root = await place();
    const { disk: real, calls } = noted(root, { syncDisk: async () => false });
    const disk = new RecordingDisk('hdd', real, quiet);
    const file = path.join(root, 'cam1/main/x.mp4');
    const handle = await disk.create(file);
    expect(calls).toEqual([]);
    disk.writeNow(handle.fd, [Buffer.from('film')]);
    const failed: unknown[] = [];
    disk.written({
      ...{ fd: handle.fd, writtenBytes: 4, synced() {} },
      syncFailed: (error) => failed.push(error),
    });
    await disk.syncFile(handle);
    expect(calls).toEqual(['no disk', 'files 1', 'folder cam1', 'folder ', 'folder cam1/main', 'file']);
    await disk.syncName(file);
    // a fault is told once, and the next such sync would hide it
    expect(calls.slice(6)).toEqual(['files 0', 'folder cam1/main']);
    expect(failed).toEqual([]);
    await handle.close();
  });
});

describe('a disk that stands still', () => {
  it('is not written to on the main thread while a sync waits for it', async () => {
    const root = await place();
    let goOn: (() => void) | undefined;
    const stands = () => new Promise<void>((resolve) => (goOn = resolve));
    const { disk: real } = noted(root, { syncFiles: () => stands().then(() => []) });
    const disk = new RecordingDisk('ssd', real, quiet);
    expect(disk.atOnce).toBe(true);
    disk.written({ fd: 3, writtenBytes: 1, synced() {}, syncFailed() {} });
    await until('a sync is under way', () => goOn);
    await until('it lasts', () => !disk.atOnce);
    goOn!();
    await until('it is over', () => disk.atOnce);
  });
});

describe('an SSD', () => {
  it('has each new name and each finished file durable at once', async () => {
    const root = await place();
    const { disk: real, calls } = noted(root);
    const disk = new RecordingDisk('ssd', real, quiet);
    const file = path.join(root, 'x.mp4');
    const handle = await disk.create(file);
    await disk.syncFile(handle);
    await disk.syncName(file);
    expect(calls).toEqual(['folder ', 'file', 'folder ']);
    await handle.close();
  });
});
