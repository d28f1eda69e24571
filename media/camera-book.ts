import fs from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, replaceFile } from '../src/base/durable.js';
import type { Log } from '../src/base/log.js';
import type { RecorderIndex } from './index/index.js';
import type { SealedCamera } from './index/rows.js';

const FILE = 'cameras.json';

/** In the index: the number of the book that was written from it last. */
const REVISION = 'cameraBook';

interface Book {
  /** goes up with each change; one of an older version has none */
  revision?: number;
  cameras: SealedCamera[];
}

/**
 * Every camera, its addresses sealed as in the index, beside the recordings (`cameras.json`): an index that is lost or
 * broken loses no camera, and recording goes on. It opens with the SECRET_KEY only. An index that is older than the book
 * (from a backup) learns from it what was changed and removed since.
 */
export class CameraBook {
  private readonly file: string;
  /** the cameras in it, as JSON */
  private written = '';
  /** what is there was taken in, so that nothing is lost by writing over it */
  private mayWrite = false;
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly root: string,
    private readonly index: RecorderIndex,
    private readonly log: Log,
  ) {
    this.file = path.join(root, FILE);
  }

  /**
   * Adds the cameras that the index has never heard of; gives back their ids. A camera that the book knows as removed is
   * removed, and where the book was written later than the index all goes by the book. A book that is broken is put aside; one that
   * can't be read, or whose cameras the index does not take, is left as it is. Never throws: recording does not wait.
   */
  async restore(): Promise<string[]> {
    try {
      const { revision = 0, cameras } = await this.read();
      const known = new Map((await this.index.cameras.sealedList()).map((camera) => [camera.id, camera]));
      const lost = cameras.filter(({ id }) => !known.has(id));
      const newer = revision > (await this.revision());
      const changed = cameras.filter((camera) => {
        const ours = known.get(camera.id);
        if (ours === undefined) return false;
        // nothing makes a removed camera one in use again, so this is later, whatever the numbers say
        if (ours.removedMs === null && camera.removedMs !== null) return true;
        return newer && JSON.stringify(camera) !== JSON.stringify(ours);
      });
      if (changed.length > 0)
        this.log.warn(
          { cameras: changed.map(({ id }) => id) },
          'the index was older than the list of cameras',
        );
      await this.index.cameras.restore(lost, changed);
      if (newer) await this.index.settings.write(REVISION, String(revision));
      this.written = JSON.stringify(cameras);
      this.mayWrite = true;
      return lost.map(({ id }) => id);
    } catch (error) {
      this.log.error({ err: error }, 'the list of cameras beside the recordings could not be used; it stays');
      return [];
    }
  }

  private async revision(): Promise<number> {
    return Number(await this.index.settings.read(REVISION)) || 0;
  }

  private async read(): Promise<Book> {
    const text = await fs.readFile(this.file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return null;
    });
    if (text === null) return { cameras: [] };
    try {
      const { revision, cameras } = JSON.parse(text) as Book;
      return { revision: Number(revision) || 0, cameras: cameras.filter(({ id }) => typeof id === 'string') };
    } catch (error) {
      this.log.error({ err: error }, 'the list of cameras beside the recordings is broken; it is put aside');
      await fs.rename(this.file, `${this.file}.broken-${Date.now()}`);
      return { cameras: [] };
    }
  }

  /** Writes down what the index knows now, durably, if that has changed. A disk that does not take it is told of in the log. */
  keep(): Promise<void> {
    this.work = this.work
      .then(() => this.write())
      .catch((error) => this.log.error({ err: error }, 'the list of cameras could not be written'));
    return this.work;
  }

  private async write(): Promise<void> {
    // what a broken index says of its cameras may not go over what is known of them
    if (!this.mayWrite || this.index.fault !== null) return;
    const cameras = await this.index.cameras.sealedList();
    const state = JSON.stringify(cameras);
    if (state === this.written) return;
    // the index first: a book that is not written after all is the older one
    const revision = (await this.revision()) + 1;
    await this.index.settings.write(REVISION, String(revision));
    await makeFolder(this.root);
    await replaceFile(this.file, `${JSON.stringify({ revision, cameras } satisfies Book, null, 2)}\n`, 0o600);
    this.written = state;
  }
}
