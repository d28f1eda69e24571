import fs from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, replaceFile } from '../src/base/durable.js';
import type { Log } from '../src/base/log.js';
import type { RecorderIndex } from './index/index.js';
import type { SealedCamera } from './index/rows.js';

const FILE = 'cameras.json';

/**
 * Every camera, its addresses sealed as in the index, beside the recordings (`cameras.json`): an index that is lost or
 * broken loses no camera, and recording goes on. It opens with the SECRET_KEY only.
 */
export class CameraBook {
  private readonly file: string;
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
   * Adds the cameras that the index has never heard of; gives back their ids. A book that is broken is put aside; one that
   * can't be read, or whose cameras the index does not take, is left as it is. Never throws: recording does not wait.
   */
  async restore(): Promise<string[]> {
    try {
      const cameras = await this.read();
      const known = new Set((await this.index.cameras.sealedList()).map(({ id }) => id));
      const lost = cameras.filter(({ id }) => !known.has(id));
      await this.index.cameras.restore(lost);
      this.mayWrite = true;
      return lost.map(({ id }) => id);
    } catch (error) {
      this.log.error({ err: error }, 'the list of cameras beside the recordings could not be used; it stays');
      return [];
    }
  }

  private async read(): Promise<SealedCamera[]> {
    const text = await fs.readFile(this.file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return null;
    });
    if (text === null) return [];
    try {
      const { cameras } = JSON.parse(text) as { cameras: SealedCamera[] };
      return cameras.filter(({ id }) => typeof id === 'string');
    } catch (error) {
      this.log.error({ err: error }, 'the list of cameras beside the recordings is broken; it is put aside');
      await fs.rename(this.file, `${this.file}.broken-${Date.now()}`);
      return [];
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
    const text = `${JSON.stringify({ cameras: await this.index.cameras.sealedList() }, null, 2)}\n`;
    if (text === this.written) return;
    await makeFolder(this.root);
    await replaceFile(this.file, text, 0o600);
    this.written = text;
  }
}
