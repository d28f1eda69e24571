import type { Seal } from '../../src/base/seal.js';
import type { StreamName } from '../types.js';
import { Cameras } from './cameras.js';
import { ClockSteps } from './clock-steps.js';
import { type Database, openDatabase } from './database.js';
import { Deletions } from './deletions.js';
import { Events } from './events.js';
import { type IndexFault, IndexFile } from './fault.js';
import { Gaps } from './gaps.js';
import { HoldRows } from './holds.js';
import { Rebuilding } from './rebuilding.js';
import { RecordedDays } from './recorded-days.js';
import { Segments } from './segments.js';
import { Settings } from './settings.js';

/**
 * What the recorder knows about its files, and what only it knows: cameras, gaps, events, deletions.
 * Times are epoch ms as numbers; bigint ends at this door. The only room of `media/` that names Prisma.
 */
export class RecorderIndex {
  readonly settings: Settings;
  readonly cameras: Cameras;
  readonly segments: Segments;
  readonly recordedDays: RecordedDays;
  readonly gaps: Gaps;
  readonly clockSteps: ClockSteps;
  readonly events: Events;
  readonly deletions: Deletions;
  readonly holds: HoldRows;
  readonly rebuilding: Rebuilding;

  /** what is wrong with its file; null: nothing is known to be */
  fault: IndexFault | null = null;
  private onFault: (fault: IndexFault) => void = () => {};

  private constructor(
    private readonly database: Database,
    private readonly file: IndexFile,
    seal: Seal,
  ) {
    this.settings = new Settings(database);
    this.cameras = new Cameras(database, seal);
    this.segments = new Segments(database);
    this.recordedDays = new RecordedDays(database);
    this.gaps = new Gaps(database);
    this.clockSteps = new ClockSteps(database);
    this.events = new Events(database);
    this.deletions = new Deletions(database);
    this.holds = new HoldRows(database);
    this.rebuilding = new Rebuilding(database);
  }

  /** Opens the migrated SQLite file; camera addresses are sealed with `seal`. */
  static async open(file: string, seal: Seal): Promise<RecorderIndex> {
    let found: (fault: IndexFault) => void = () => {};
    const database = await openDatabase(file, (fault) => found(fault));
    const index = new RecorderIndex(database, await IndexFile.open(file), seal);
    found = (fault) => index.found(fault);
    return index;
  }

  /** Calls back when its file turns out to be broken, deleted or unreadable; again at each statement that fails so. */
  whenBroken(onFault: (fault: IndexFault) => void): void {
    this.onFault = onFault;
  }

  private found(fault: IndexFault): void {
    if (this.fault?.sure !== true) this.fault = fault;
    this.onFault(fault);
  }

  /** Looks whether its file is there and whole, as far as that shows at once. */
  async look(): Promise<void> {
    const fault = await this.file.look();
    if (fault !== null) this.found(fault);
  }

  /** Does it take a sign of life again? Then a fault that was not sure is forgotten. */
  async works(): Promise<boolean> {
    if (this.fault?.sure === true) return false;
    try {
      this.fault = null;
      await this.settings.live(Date.now());
      await this.look();
      return this.fault === null;
    } catch {
      return false;
    }
  }

  /** The start of the first recording, deletion or gap of a stream that is on record; null: there is none. */
  async begunMs(cameraId: string, stream: StreamName): Promise<number | null> {
    const first = (table: string) =>
      `SELECT min("startMs") AS "startMs" FROM "${table}" WHERE "cameraId" = ? AND "stream" = ?`;
    const tables = ['Segment', 'Deletion', 'Gap'];
    const [row] = await this.database.$queryRawUnsafe<{ startMs: number | bigint | null }[]>(
      `SELECT min("startMs") AS "startMs" FROM (${tables.map(first).join(' UNION ALL ')})`,
      ...tables.flatMap(() => [cameraId, stream]),
    );
    return row?.startMs == null ? null : Number(row.startMs);
  }

  async close(): Promise<void> {
    await this.database.$disconnect();
    await this.file.close();
  }

  /** What the connection really does: 1 = NORMAL. */
  async synchronous(): Promise<number> {
    const rows =
      await this.database.$queryRawUnsafe<{ synchronous: number | bigint }[]>('PRAGMA synchronous');
    return Number(rows[0]?.synchronous);
  }
}
