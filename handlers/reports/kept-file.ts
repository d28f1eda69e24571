import path from 'node:path';
import type { TakenFile } from '../../src/intake/types.js';
import type { ReportFile } from '../../src/store/reports.js';
import type { House } from '../house.js';
import type { ForwardedFile } from './forwarding.js';

/** A taken file as its report names it. */
export function rowOf(house: House, file: TakenFile): ReportFile {
  const within = (to: string) => path.relative(house.settings.dataDir, to).split(path.sep).join('/');
  return {
    ...{ path: within(file.path), kind: file.kind, mime: file.mime },
    ...{ sizeBytes: file.sizeBytes, sha256: file.sha256 },
    shown: file.shown === null ? null : JSON.stringify({ ...file.shown, path: within(file.shown.path) }),
  };
}

/** The same file again, to be shown once more. */
export function keptFile(house: House, row: Pick<ReportFile, 'path' | 'shown'>): ForwardedFile {
  const at = (kept: string) => path.join(house.settings.dataDir, ...kept.split('/'));
  const shown = row.shown === null ? null : (JSON.parse(row.shown) as NonNullable<ForwardedFile['shown']>);
  return { path: at(row.path), shown: shown === null ? null : { ...shown, path: at(shown.path) } };
}
