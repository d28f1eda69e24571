/** Small disks that really fill up, turn read-only or fail. Needs root on Linux. */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { eventually } from '../../test/support/product.js';

export interface BadDisk {
  /** where recordings go, absolute */
  root: string;
  /** the fault begins */
  fail(): Promise<void>;
  /** it is over, as when a person has seen to it */
  mend(): Promise<void>;
  remove(): Promise<void>;
}

const TMPFS_MB = 24;
const DISK_MB = 96;

const run = (program: string, ...args: string[]) => {
  const done = spawnSync(program, args, { encoding: 'utf8' });
  if (done.status !== 0)
    throw new Error(`${program} ${args.join(' ')}: ${done.stderr || done.error?.message}`);
  return done.stdout.trim();
};

const runs = (program: string, ...args: string[]) =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0;

/** A tmpfs that something else fills to the last byte. */
export async function fullDisk(): Promise<BadDisk> {
  const place = await mkdtemp(join(tmpdir(), 'mat-than-disk-'));
  const root = join(place, 'recordings');
  const filler = join(root, 'filler');
  await mkdir(root);
  run('mount', '-t', 'tmpfs', '-o', `size=${TMPFS_MB}m`, 'none', root);
  return {
    root,
    async fail() {
      const handle = await open(filler, 'w');
      const page = Buffer.alloc(4096);
      try {
        for (;;) await handle.write(page);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        await handle.close();
      }
    },
    mend: () => rm(filler, { force: true }),
    async remove() {
      run('umount', root);
      await rm(place, { recursive: true });
    },
  };
}

/**
 * An ext4 file system on a loop device over a file on a tmpfs. The mount point lies on a read-only tmpfs, so that nothing
 * is written beside the disk while it is away.
 */
async function ext4Disk(fail: (disk: { device: string; back: string }) => Promise<void>): Promise<BadDisk> {
  const place = await mkdtemp(join(tmpdir(), 'mat-than-disk-'));
  const [back, front] = [join(place, 'back'), join(place, 'front')];
  const root = join(front, 'recordings');
  const image = join(back, 'image');
  for (const folder of [back, front]) {
    await mkdir(folder);
    run('mount', '-t', 'tmpfs', '-o', `size=${2 * DISK_MB}m`, 'none', folder);
  }
  await mkdir(root);
  run('mount', '-o', 'remount,ro', front);
  await (await open(image, 'w')).close();
  run('truncate', '-s', `${DISK_MB}M`, image);
  run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image);
  const device = run('losetup', '-f', '--show', image);
  // a loop device says of a write that its file took in part that all is well; one page is taken whole or not at all
  await writeFile(join('/sys/block', basename(device), 'queue/max_sectors_kb'), '4');
  const mount = () => run('mount', '-o', 'errors=remount-ro', device, root);
  mount();
  const unmount = () => eventually('the disk can be taken away', () => runs('umount', root), 30_000);
  return {
    root,
    fail: () => fail({ device, back }),
    async mend() {
      run('mount', '-o', `remount,size=${2 * DISK_MB}m`, back);
      await unmount();
      // 1: it was mended
      const { status, stdout } = spawnSync('e2fsck', ['-fy', device], { encoding: 'utf8' });
      if (status !== 0 && status !== 1) throw new Error(`e2fsck ended with ${status}: ${stdout}`);
      mount();
    },
    async remove() {
      await unmount();
      run('losetup', '-d', device);
      run('umount', back);
      run('umount', front);
      await rm(place, { recursive: true });
    },
  };
}

/** A disk whose file system finds an error and turns itself read-only. */
export const readOnlyDisk = () =>
  ext4Disk(({ device }) => writeFile(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, '1'));

/** A disk that can't write any more (EIO): what is behind it has no room left. */
export const failingDisk = () =>
  ext4Disk(async ({ back }) => {
    // what is being written makes it larger between look and change
    await eventually('no room is left behind the disk', async () => {
      const { blocks, bfree, bsize } = await statfs(back);
      return runs('mount', '-o', `remount,size=${(blocks - bfree) * bsize}`, back);
    });
  });
