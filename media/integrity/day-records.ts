import fs from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { linesOf } from './chain.js';
import { CHAIN_FILE, type ChainRecord, DAYS_FILE, readRecord } from './record.js';

type RecordOf<K extends ChainRecord['kind']> = ChainRecord & { kind: K };

/** What a day's chain tells of it. Lines that are no records any more are passed over. */
export interface DayRecords {
  /** by path, in the order in which they were recorded; without those that were deleted */
  segments: Map<string, RecordOf<'segment'>>;
  deletions: RecordOf<'deleted'>[];
  gaps: RecordOf<'gap'>[];
}

/** Lines read before the recording has its turn; 5–10 µs each. */
const LINES_AT_ONCE = 250;

async function recordsIn(file: string): Promise<ChainRecord[]> {
  let text = '';
  try {
    text = await fs.readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const records: ChainRecord[] = [];
  for (const [index, line] of linesOf(text).lines.entries()) {
    if (index % LINES_AT_ONCE === LINES_AT_ONCE - 1) await breathe();
    const record = readRecord(line);
    if (record !== null) records.push(record);
  }
  return records;
}

/** Reads the chain of a day's folder (relative, ending in a slash). Throws when it is there and can't be read. */
export async function readDayRecords(root: string, folder: string): Promise<DayRecords> {
  const found: DayRecords = { segments: new Map(), deletions: [], gaps: [] };
  for (const record of await recordsIn(path.join(root, folder, CHAIN_FILE))) {
    if (record.kind === 'gap') found.gaps.push(record);
    if (record.kind !== 'segment' && record.kind !== 'deleted') continue;
    // what was recorded last stands last
    found.segments.delete(record.path);
    if (record.kind === 'segment') found.segments.set(record.path, record);
    else found.deletions.push(record);
  }
  return found;
}

/** The steps of the machine's clock, in the order in which they were made. Throws like `readDayRecords`. */
export async function readClockSteps(root: string): Promise<RecordOf<'clock-set'>[]> {
  const records = await recordsIn(path.join(root, DAYS_FILE));
  return records.filter((record) => record.kind === 'clock-set');
}
