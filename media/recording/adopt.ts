import path from 'node:path';
import type { StreamInit } from '../fragment.js';
import type { SegmentRow } from '../index/rows.js';
import type { ChainRecord } from '../integrity/record.js';
import { datesOf, type FileFragment, readHead, scanFile } from '../mp4/scan.js';
import type { Look } from './looker.js';
import { type NamedSegment, readSegmentName } from './names.js';

export type NewRow = Omit<SegmentRow, 'id' | 'open'>;

/** How long a file is by its fragments, ms. */
export function lengthMs({ init, fragments }: { init: StreamInit; fragments: FileFragment[] }): number {
  const pictures = fragments.filter((fragment) => fragment.samples > 0);
  const first = pictures[0];
  const last = pictures.at(-1);
  if (!first || !last) return 0;
  return (Number(last.startTicks - first.startTicks + BigInt(last.durationTicks)) * 1000) / init.timescale;
}

/** Whether a record speaks of this file: the start in its name, its size. Content and signature are verified by others. */
export const agrees = (
  record: ChainRecord & { kind: 'segment' },
  named: NamedSegment,
  found: NonNullable<Look>,
): boolean =>
  found.isFile &&
  found.sizeBytes === record.sizeBytes &&
  Math.round(record.startMs) === named.startMs &&
  record.endMs >= record.startMs;

/** The row that a record and its file make; null: they don't agree, or the file does not say what its pictures are. */
export async function rowFromRecord(
  root: string,
  record: ChainRecord & { kind: 'segment' },
  found: Look,
): Promise<NewRow | null> {
  const named = readSegmentName(record.path);
  if (!named || !found || !agrees(record, named, found)) return null;
  const { codec, width = 0, height = 0 } = record;
  // records of before told nothing of the pictures
  const head = codec === undefined ? await readHead(path.join(root, record.path)) : { codec, width, height };
  if (head === null) return null;
  const { cameraId, stream } = named;
  const { path: relative, startMs, endMs, sizeBytes } = record;
  return {
    ...{ cameraId, stream, startMs, endMs, path: relative, sizeBytes },
    ...{ codec: head.codec, width: head.width, height: head.height },
  };
}

/** The row of a closed file, read whole: its name tells the start, its fragments the length. Null: nothing whole is in it. */
export async function rowFromFile(root: string, relative: string): Promise<NewRow | null> {
  const scanned = await scanFile(path.join(root, relative));
  const { cameraId, stream, startMs: namedMs } = readSegmentName(relative)!;
  if (scanned === null || scanned.fragments.length === 0) return null;
  const dated = datesOf(scanned.fragments, scanned.init);
  // The name was given at the close, with the whole window before it: truer than the file's own dates.
  const startMs = scanned.startLost ? Math.round(dated.startMs ?? namedMs) : namedMs;
  const length =
    dated.startMs !== null && dated.endMs !== null ? dated.endMs - dated.startMs : lengthMs(scanned);
  const { codec, width, height } = scanned.init;
  return {
    ...{ cameraId, stream, startMs, endMs: Math.round(startMs + length), path: relative },
    ...{ sizeBytes: scanned.sizeBytes, codec, width, height },
  };
}
