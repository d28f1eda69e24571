import fs from 'node:fs/promises';
import path from 'node:path';
import { type ChainRecord, chainOf, chainPath, DAYS_FILE, type DayFacts, readRecord } from './record.js';

/** Finds records in the chains' files. The text is searched, not read: retention asks for each file it deletes. */
export class ChainText {
  /** a chain's text, asked again and again while a folder is walked */
  private read: { file: string; size: number; text: Buffer } | null = null;

  constructor(private readonly root: string) {}

  /** The last record that names a file; null when there is none. */
  async lastOf(relative: string): Promise<ChainRecord | null> {
    const id = chainOf(relative);
    if (id === null) return null;
    const text = await this.textOf(path.join(this.root, chainPath(id)));
    return recordAt(text, text.lastIndexOf(`"path":${JSON.stringify(relative)}`));
  }

  /** What was written down of a finished day; null: it isn't closed. */
  async closedDay(day: string): Promise<DayFacts | null> {
    const text = await this.textOf(path.join(this.root, DAYS_FILE));
    const record = recordAt(text, text.indexOf(`"kind":"day","day":"${day}"`));
    if (record?.kind !== 'day') return null;
    const { chains, segments, digest } = record;
    return { day, chains, segments, digest };
  }

  private async textOf(file: string): Promise<Buffer> {
    try {
      const { size } = await fs.stat(file);
      if (this.read?.file !== file || this.read.size !== size)
        this.read = { file, size, text: await fs.readFile(file) };
      return this.read.text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    }
  }
}

/** The record of the line around `at`; null where there is none, or no whole one. */
function recordAt(text: Buffer, at: number): ChainRecord | null {
  const end = at < 0 ? -1 : text.indexOf('\n', at);
  return end < 0 ? null : readRecord(text.toString('utf8', text.lastIndexOf('\n', at) + 1, end));
}
