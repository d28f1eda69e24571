import path from 'node:path';
import type { TakenFile } from '../../src/intake/types.js';
import type { ReportFile } from '../../src/store/reports.js';
import type { House } from '../house.js';

/** A taken file as its report names it. */
export const rowOf = (house: House, file: TakenFile): ReportFile => ({
  path: path.relative(house.settings.dataDir, file.path).split(path.sep).join('/'),
  kind: file.kind,
  mime: file.mime,
  sizeBytes: file.sizeBytes,
  sha256: file.sha256,
});
